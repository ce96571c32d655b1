/**
 * The way out, and clusters without one. What stands for the outside is a namespace of this run behind the host,
 * at an address for documentation (RFC 5737): nothing real is ever asked.
 */
import { existsSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { namespaces, VPC_CIDR } from '../../src/cluster/plan.ts';
import { uplinkName } from '../../src/compute/render/router.ts';
import { exec } from '../../src/host/exec.ts';
import { addNamespace, ipBatch, removeNamespace } from '../../src/host/namespace.ts';
import { until } from '../../src/host/wait.ts';
import { type Beside, clientIn, serverIn } from '../support/balanced.ts';
import { kubectlOf, printed } from '../support/kubectl.ts';
import { fargateNamespace, readyNamespace, shellPod } from '../support/machines.ts';
import { clusterOfRun, componentsFolder } from '../support/run.ts';
import { tool } from '../support/tool.ts';

const CLOSED = 'cloclosed';
const OPEN = clusterOfRun().name;
const NS = 'vm-egress';

const OUTSIDE = 'cltoutside';
const LINK = 'outside0';
const HOST = '198.51.100.1';
const URL = 'http://198.51.100.2:8080/';

type Kubectl = ReturnType<typeof kubectlOf>;
const open = kubectlOf();
let closed: Kubectl;
let listener: Beside | undefined;
let address = '';

/** Also what a run that was cut off left behind. The link goes at once, where the namespace would take its time. */
const removeOutside = async (): Promise<void> => {
  if (existsSync(`/sys/class/net/${LINK}`)) await exec('ip', ['link', 'del', LINK]);
  await removeNamespace(OUTSIDE);
};

const makeOutside = async (): Promise<void> => {
  await removeOutside();
  await addNamespace(OUTSIDE);
  await exec('ip', ['link', 'add', LINK, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', OUTSIDE]);
  await exec('ip', ['addr', 'add', `${HOST}/30`, 'dev', LINK]);
  await exec('ip', ['link', 'set', LINK, 'up']);
  // Answers come back in this way.
  writeFileSync(`/proc/sys/net/ipv4/conf/${LINK}/forwarding`, '1');
  await ipBatch(OUTSIDE, [
    'addr add 198.51.100.2/30 dev eth0',
    'link set eth0 up',
    `route add default via ${HOST}`,
  ]);
  listener = await serverIn(OUTSIDE, '198.51.100.2', 'outside');
};

/** A pod on a machine that serves, and waits to be asked. */
const startPod = async ({ apply }: Kubectl): Promise<void> => {
  const script = 'echo pulled; echo inside >/tmp/index.html; httpd -f -p 8080 -h /tmp';
  await apply(shellPod(NS, 'guest', script));
};

const ready = async ({ kubectl }: Kubectl): Promise<void> => {
  await kubectl(['wait', '-n', NS, 'pod/guest', '--for=condition=Ready', '--timeout=240s'], {
    limitMs: 250_000,
  });
};

const inGuest = ({ kubectl }: Kubectl, script: string): Promise<string> =>
  kubectl(['exec', '-n', NS, 'guest', '--', 'sh', '-c', script]);

const fetched = (cluster: Kubectl): Promise<string> =>
  inGuest(cluster, `timeout 3 wget -qO- ${URL} 2>/dev/null || echo nothing`);

beforeAll(async () => {
  await makeOutside();
  await open.apply(...fargateNamespace(NS));
  await readyNamespace(NS);
  await startPod(open);
  await tool('up', '--name', CLOSED, '--no-egress', '--no-demo', '--components', componentsFolder());
  closed = kubectlOf((await tool('kubeconfig', '--name', CLOSED)).trim());
  await closed.apply(...fargateNamespace(NS));
  await readyNamespace(NS, closed);
  await startPod(closed);
  await Promise.all([ready(open), ready(closed)]);
  address = await open.kubectl(['get', 'pod', 'guest', '-n', NS, '-o', 'jsonpath={.status.podIP}']);
}, 500_000);

afterAll(async () => {
  await listener?.kill();
  await removeOutside();
  await tool('down', '--name', CLOSED);
  await open.kubectl(['delete', 'namespace,fargateprofile', NS, '--wait=false', '--ignore-not-found']);
}, 120_000);

describe('a cluster with egress', () => {
  it('translates what goes out to an address of the host', async () => {
    const told = await until(async () => JSON.parse(await fetched(open)) as object, {
      limitMs: 60_000,
      everyMs: 500,
      what: 'the guest to be answered from outside',
    });
    expect(told).toMatchObject({ name: 'outside', from: HOST });
  });

  it('sends out nothing of a network that is added while it runs, for as long as it is one', async () => {
    const untilFetched = async (further: readonly string[], expected: string): Promise<void> => {
      const patch = JSON.stringify({ spec: { cidrs: [VPC_CIDR, ...further] } });
      await open.kubectl(['patch', 'network', 'cluster', '--type', 'merge', '-p', patch]);
      await until(async () => (await fetched(open)).includes(expected), {
        limitMs: 60_000,
        what: `the pod to get ${expected}`,
      });
    };
    try {
      await untilFetched(['198.51.100.0/30'], 'nothing');
    } finally {
      await untilFetched([], 'outside');
    }
  }, 180_000);

  it('lets nothing in, not even where the host has a route to the pod', async () => {
    const { router, control } = namespaces(OPEN);
    const answer = await until(
      async () => {
        const { status, body } = await clientIn(control).ask(`http://${address}:8080/`);
        return status !== 0 && body.trim();
      },
      { limitMs: 60_000, everyMs: 500, what: 'the pod to serve' },
    );
    expect(answer).toBe('inside');
    const uplink = uplinkName(router);
    await exec('ip', ['route', 'add', `${address}/32`, 'dev', uplink]);
    try {
      for (const from of [clientIn(OUTSIDE), clientIn(undefined)])
        expect(await from.ask(`http://${address}:8080/`)).toMatchObject({ status: 0 });
    } finally {
      await exec('ip', ['route', 'del', `${address}/32`, 'dev', uplink]);
    }
  });
});

describe('a closed cluster', () => {
  it('pulls, runs, logs and resolves', async () => {
    expect(await printed(closed.kubectl, '-n', NS, 'guest')).toBe('pulled');
    expect(await inGuest(closed, 'nslookup kubernetes.default.svc.cluster.local')).toContain('10.96.0.1');
    expect(await inGuest(closed, 'nslookup registry.cloister.internal')).toContain('10.42.0.2');
  });

  it('reaches nothing outside, and has no way there', async () => {
    expect(await fetched(closed)).toBe('nothing');
    const { router } = namespaces(CLOSED);
    expect(await exec('ip', ['-n', router, 'route', 'show', 'default'])).toBe('');
    expect(await exec('ip', ['-n', router, '-br', 'link', 'show'])).not.toContain('uplink');
    const name = await inGuest(closed, 'nslookup outside.example 2>&1 || true');
    expect(name).toContain('NXDOMAIN');
  });
});
