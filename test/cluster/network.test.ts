/** The network's attributes and subnets on a real API server; guests are stand-ins. */
import { readFileSync, writeFileSync } from 'node:fs';
import { dump, load } from 'js-yaml';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Network } from '../../src/api/network.ts';
import {
  events,
  fargateProfiles,
  flowWatches,
  microVMs,
  networks,
  pods,
  securityGroups,
  serviceAccounts,
  subnets,
  type TokenRequest,
} from '../../src/api/resources.ts';
import { writeFakeMachine } from '../../src/compute/fake/provider.ts';
import type { ShownFlow } from '../../src/core/flows/follow.ts';
import { API_VERSION } from '../../src/core/names.ts';
import { parseAddress } from '../../src/core/net/ipv4.ts';
import { until } from '../../src/host/wait.ts';
import { applyManifests, parseManifests } from '../../src/kube/apply.ts';
import { installNetwork } from '../../src/tool/network.ts';
import { cloister, startCloister } from '../support/cloister.ts';
import {
  ensureFargate,
  podIn,
  settledMachine,
  startProduct,
  type TestProduct,
  untilPhase,
} from '../support/product.ts';

const NS = 'apps';
let product: TestProduct;

beforeAll(async () => {
  product = await startProduct();
  const { client } = product;
  await installNetwork(client, 'test', true);
  // The subnet of the tests is a secondary network's.
  await change({ cidrs: ['10.42.0.0/16', '10.0.0.0/16'] });
  await ensureFargate(client, NS);
}, 120_000);

afterAll(() => product?.stop(), 60_000);

const change = (spec: Partial<Network['spec']>): Promise<Network> =>
  product.client.patch(networks, { name: 'cluster' }, { spec }, { type: 'merge' });

/** A kubeconfig of somebody who may edit a namespace, and nothing beside it. */
const editorOf = async (namespace: string): Promise<string> => {
  const { client, kubeconfig } = product;
  const account = { namespace, name: 'editor' };
  await client.create(serviceAccounts, { metadata: account });
  const binding = `apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: editor, namespace: ${namespace}}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: edit}
subjects: [{kind: ServiceAccount, name: editor, namespace: ${namespace}}]
`;
  await applyManifests(client, parseManifests(binding), 'test');
  const request: TokenRequest = { spec: { audiences: [], expirationSeconds: 3_600 } };
  const issued = await client.create(serviceAccounts, request, { ...account, subresource: 'token' });
  const config = load(readFileSync(kubeconfig, 'utf8')) as object;
  const user = { name: 'user', user: { token: issued.status?.token } };
  const path = `${kubeconfig}.editor`;
  writeFileSync(path, dump({ ...config, users: [user] }));
  return path;
};

const untilTold = (name: string, message: string): Promise<unknown> =>
  until(
    async () => {
      const { status } = await product.client.get(pods, { namespace: NS, name });
      return status?.conditions?.some((one) => one.type === 'PodScheduled' && one.message === message);
    },
    { limitMs: 30_000, what: `pod ${name} to say: ${message}` },
  );

const subnet = (name: string, cidr: string) =>
  product.client.create(subnets, {
    apiVersion: API_VERSION,
    kind: 'Subnet',
    metadata: { name },
    spec: { cidr, zone: 'local-1a', type: 'private' },
  });

describe('a DNS attribute that is off', () => {
  it.each(['dnsSupport', 'dnsHostnames'] as const)(
    '%s keeps new pods waiting, which start at once when it is on again',
    async (attribute) => {
      const { client } = product;
      const name = attribute.toLowerCase();
      await change({ [attribute]: false });
      await client.create(pods, podIn(NS, name));
      await untilTold(name, `Pod provisioning timed out (will retry) for pod: ${NS}/${name}`);
      expect(product.machineNames()).toEqual([]);
      const [told, profile] = await until(
        async () => {
          const of = [client.get(networks, { name: 'cluster' }), client.get(fargateProfiles, { name: NS })];
          const found = (await Promise.all(of)).map(
            ({ status }) => status?.conditions?.filter((one) => one.status === 'False') ?? [],
          );
          return found.every(({ length }) => length === 1) && found;
        },
        { limitMs: 10_000, what: 'network and profile to tell what is wrong' },
      );
      expect(told).toMatchObject([{ type: 'DNSReady', message: expect.stringContaining(attribute) }]);
      expect(profile).toMatchObject([{ type: 'NetworkReady', reason: 'DnsOff' }]);
      const since = Date.now();
      await change({ [attribute]: true });
      await untilPhase(client, NS, name, 'Running');
      expect(Date.now() - since).toBeLessThan(30_000); // a second look comes after 60 s only
      await client.delete(pods, { namespace: NS, name });
      await until(() => product.machineNames().length === 0, { limitMs: 30_000, what: 'the machine to go' });
    },
  );
});

describe('connections that were refused', () => {
  const reason = (group: string) => `group ${group} has no ingress rule for TCP 5432 from 192.0.2.9`;

  it('are told on the pod, on its machine and by `why`, each with its reason', async () => {
    const { client, machines } = product;
    await client.create(pods, podIn(NS, 'db'));
    await untilPhase(client, NS, 'db', 'Running');
    const [name = ''] = product.machineNames();
    const machine = await settledMachine(product, name);
    const peer = parseAddress('192.0.2.9') as number;
    const flow = { direction: 'ingress', peer, protocol: 6, port: 5432 } as const;
    const refused = { flow, packets: 3, last: new Date().toISOString() };
    writeFakeMachine(machines, { ...machine, refused: [refused] });

    const { clusterSecurityGroup } = (await client.get(networks, { name: 'cluster' })).spec;
    const told = await until(
      async () =>
        (await client.list(events, { namespace: NS })).find((event) => event.reason === 'FlowRefused'),
      { limitMs: 30_000, what: 'the event on the pod' },
    );
    expect(told).toMatchObject({
      type: 'Warning',
      involvedObject: { kind: 'Pod', name: 'db' },
      message: `Refused: ${reason(clusterSecurityGroup)}`,
    });
    const { status } = await client.get(microVMs, { name });
    expect(status?.refused).toMatchObject([
      {
        direction: 'ingress',
        peer: '192.0.2.9',
        protocol: 'TCP',
        port: 5432,
        by: 'group-ingress',
        packets: 3,
      },
    ]);
    const why = await cloister(product, ['why', 'pod/db', '-n', NS]);
    expect(why.out).toMatch(new RegExp(`refused +3 packets until \\S+Z: ${reason(clusterSecurityGroup)}\n`));

    const dns = { direction: 'egress', from: 'pod', peer, protocol: 17, port: 53 } as const;
    const accepted = [{ ...refused, flow: dns }];
    writeFakeMachine(machines, { ...machine, refused: [refused], accepted });
    const once = await cloister(product, ['flows', 'pod/db', '-n', NS]);
    expect([once.code, once.err]).toEqual([0, '']);
    expect(once.out).toMatch(
      new RegExp(
        `^TIME +DIRECTION +PEER +PORT +VERDICT +REASON\n(.*\n)*\\S+Z +egress +192\\.0\\.2\\.9 +UDP 53 +accepted\n`,
      ),
    );
    expect(once.out).toContain(`  refused   ${reason(clusterSecurityGroup)}\n`);

    const theirs = await cloister({ ...product, kubeconfig: await editorOf(NS) }, ['flows', 'db', '-n', NS]);
    expect([theirs.code, theirs.err]).toEqual([0, '']);

    const following = startCloister(product, ['flows', 'db', '-n', NS, '-f', '-o', 'json']);
    const shown = () =>
      following
        .out()
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => JSON.parse(line) as ShownFlow);
    await until(() => shown().length === 2, { limitMs: 30_000, what: 'what was before' });
    writeFakeMachine(machines, {
      ...machine,
      refused: [{ ...refused, packets: 5 }],
      accepted: [{ ...refused, flow: dns, packets: 4 }],
    });
    await until(() => shown().length === 4, { limitMs: 30_000, what: 'what came since' });
    expect(shown().slice(2)).toMatchObject([
      { verdict: 'accepted', port: 53, packets: 1 },
      { verdict: 'refused', packets: 2 },
    ]);
    following.child.kill('SIGINT');
    expect(await following.ended).toMatchObject({ code: 0, err: '' });
    const piped = startCloister(product, ['flows', 'db', '-n', NS, '-f']);
    await until(() => piped.out().includes('UDP 53'), { limitMs: 30_000, what: 'the first lines' });
    piped.child.stdout?.destroy();
    writeFakeMachine(machines, { ...machine, refused: [{ ...refused, packets: 9 }] });
    expect(await piped.ended).toMatchObject({ code: 0, err: '' });
    expect(await client.list(flowWatches)).toEqual([]);

    writeFakeMachine(machines, { ...machine, refused: [] });
    await until(async () => (await client.get(microVMs, { name })).status?.refused === undefined, {
      limitMs: 30_000,
      what: 'the MicroVM to forget what the kernel forgot',
    });
    const late = startCloister(product, ['flows', 'db', '-n', NS, '-f']);
    await until(async () => (await client.list(flowWatches)).length === 1, {
      limitMs: 30_000,
      what: 'the command to follow',
    });
    await client.delete(pods, { namespace: NS, name: 'db' });
    expect(await late.ended).toMatchObject({ code: 0, err: "cloister: the pod's machine is gone\n" });
    await until(() => product.machineNames().length === 0, { limitMs: 30_000, what: 'the machine to go' });
  }, 120_000);

  it('are not those of a pod that has no machine', async () => {
    const { client } = product;
    await client.create(pods, {
      metadata: { namespace: 'default', name: 'elsewhere' },
      spec: { containers: [{ name: 'main', image: 'none' }] },
    });
    const asked = ['nobody', 'elsewhere'].map((name) => cloister(product, ['flows', `pod/${name}`]));
    const said = (await Promise.all(asked)).map(({ code, err }) => `${code} ${err}`);
    expect(said).toEqual([
      '2 cloister: there is no pod nobody in namespace default\n',
      '2 cloister: pod elsewhere has no machine of its own; `cloister why pod/elsewhere -n default` says why\n',
    ]);
    await client.delete(pods, { namespace: 'default', name: 'elsewhere' }, { gracePeriodSeconds: 0 });
  }, 60_000);
});

const untilFree = (name: string, available: number, usable: string): Promise<unknown> =>
  until(
    async () => {
      const { status } = await product.client.get(subnets, { name });
      const told = status?.conditions?.find(({ type }) => type === 'Usable');
      return status?.available === available && told?.status === usable;
    },
    { limitMs: 60_000, what: `subnet ${name} to tell ${available} free addresses` },
  );

describe('subnets', () => {
  const name = (spec: { readonly subnets: readonly string[] }) =>
    product.client.patch(fargateProfiles, { name: NS }, { spec }, { type: 'merge' });
  const profile = (spec: { readonly subnets: readonly string[] }) =>
    until(() => name(spec), { limitMs: 30_000, what: 'the subnets to be known to the webhook' });

  it('of a profile that are full keep pods waiting, until an address is freed or a subnet added', async () => {
    const { client } = product;
    await subnet('tiny', '10.42.7.0/28'); // eleven addresses
    await profile({ subnets: ['tiny'] });
    const names = Array.from({ length: 12 }, (_, i) => `p${i}`);
    for (const name of names) await client.create(pods, podIn(NS, name));
    const waiting = await until(
      async () => {
        const all = await client.list(pods, { namespace: NS });
        const [late, ...more] = all.filter(({ spec }) => spec.nodeName === undefined);
        return late?.status?.conditions && more.length === 0 ? late.metadata.name : undefined;
      },
      { limitMs: 60_000, what: 'eleven pods to have their nodes' },
    );
    await untilTold(waiting, "No free address in the Fargate profile's subnets: tiny");
    await untilFree('tiny', 0, 'False');
    const [first = ''] = names.filter((name) => name !== waiting);
    await client.delete(pods, { namespace: NS, name: first });
    await untilPhase(client, NS, waiting, 'Running');

    await client.create(pods, podIn(NS, 'next'));
    await untilTold('next', "No free address in the Fargate profile's subnets: tiny");
    await subnet('more', '10.42.8.0/28');
    await profile({ subnets: ['tiny', 'more'] });
    const next = await untilPhase(client, NS, 'next', 'Running');
    expect(next.status?.podIP).toMatch(/^10\.42\.8\./);
    await untilFree('more', 10, 'True');
    for (const { metadata } of await client.list(pods, { namespace: NS }))
      await client.delete(pods, { namespace: NS, name: metadata.name ?? '' });
  }, 120_000);

  it('of a profile share its pods', async () => {
    const { client } = product;
    for (const subnet of ['tiny', 'more']) await untilFree(subnet, 11, 'True');
    const names = Array.from({ length: 6 }, (_, i) => `spread${i}`);
    for (const name of names) await client.create(pods, podIn(NS, name));
    const addresses = await Promise.all(
      names.map(async (name) => (await untilPhase(client, NS, name, 'Running')).status?.podIP ?? ''),
    );
    expect(new Set(addresses).size).toBe(names.length);
    expect(addresses.filter((address) => address.startsWith('10.42.7.'))).toHaveLength(3);
    for (const name of names) await client.delete(pods, { namespace: NS, name });
  }, 120_000);

  it('lie within the network and beside each other when they are made', async () => {
    await expect(subnet('foreign', '192.168.0.0/24')).rejects.toThrow(
      "(InvalidSubnet.Range) when calling the CreateSubnet operation: The CIDR '192.168.0.0/24' is invalid. It lies in none of the network's CIDRs, 10.42.0.0/16, 10.0.0.0/16: add one for it to the Network first",
    );
    await expect(subnet('twin', '10.42.8.0/24')).rejects.toThrow(
      "(InvalidSubnet.Conflict) when calling the CreateSubnet operation: The CIDR '10.42.8.0/24' conflicts with another subnet: more (10.42.8.0/28)",
    );
    await expect(subnet('more', '10.42.8.0/28')).rejects.toThrow('already exists');
  });

  it('are of no use to a profile once their network is gone', async () => {
    await change({ cidrs: ['10.42.0.0/16', '10.0.0.0/16', '192.168.0.0/16'] });
    await subnet('foreign', '192.168.0.0/24');
    await change({ cidrs: ['10.42.0.0/16', '10.0.0.0/16'] });
    await until(
      () =>
        name({ subnets: ['foreign'] }).then(
          () => false,
          (cause: Error) =>
            cause.message.includes(
              "Subnet foreign (192.168.0.0/24) lies in none of the network's CIDRs: 10.42.0.0/16, 10.0.0.0/16",
            ),
        ),
      { limitMs: 30_000, what: 'the profile to be refused' },
    );
  });
});

describe('the cluster security group', () => {
  it('stays while the network names it', async () => {
    const { client } = product;
    const { spec } = await client.get(networks, { name: 'cluster' });
    await expect(client.delete(securityGroups, { name: spec.clusterSecurityGroup })).rejects.toThrow(
      `resource ${spec.clusterSecurityGroup} has a dependent object: the network`,
    );
  });
});
