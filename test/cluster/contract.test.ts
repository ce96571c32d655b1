/** What the API server itself enforces for us: rules of our kinds, the guard of our nodes, the controller's rights. */
import 'reflect-metadata';
import { webcrypto } from 'node:crypto';
import * as x509 from '@peculiar/x509';
import { dump, loadAll } from 'js-yaml';
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { admissionServer } from '../../src/admission/webhook.ts';
import type { FargateProfile } from '../../src/api/fargate-profile.ts';
import type { MicroVM } from '../../src/api/micro-vm.ts';
import {
  certificateSigningRequests,
  fargateProfiles,
  microVMs,
  namespaces,
  networks,
  nodes,
  pods,
  type Resource,
  secrets,
  serviceAccounts,
  subnets,
} from '../../src/api/resources.ts';
import type { Subnet } from '../../src/api/subnet.ts';
import { microVMOf } from '../../src/core/machine/microvm.ts';
import type { Pod } from '../../src/core/pod.ts';
import { until } from '../../src/host/wait.ts';
import { isRefusal, KubeClient } from '../../src/kube/client.ts';
import type { Context, View } from '../../src/lifecycle/context.ts';
import { failPod } from '../../src/lifecycle/pod-endings.ts';
import { installProduct } from '../../src/main/install.ts';
import { explain } from '../../src/scheduling/explain.ts';
import { generate } from '../../src/tool/generated.ts';
import { freePorts, startApiServer, type TestApiServer } from '../support/apiserver.ts';
import { bareNetwork } from '../support/bare-machine.ts';

let server: TestApiServer;
let admin: KubeClient;
let controller: KubeClient;
let admission: ReturnType<typeof admissionServer>;

const profile = (name: string, policy?: FargateProfile['spec']['policy']): FargateProfile => ({
  metadata: { name },
  spec: { selectors: [{ namespace: name }], ...(policy ? { policy } : {}) },
});
const PROFILES = [
  profile('strict'),
  profile('firm', { reject: true }),
  profile('open', { privileged: true }),
];

beforeAll(async () => {
  server = await startApiServer(['--allow-privileged=true']);
  admin = new KubeClient(server.config);
  controller = new KubeClient({ ...server.config, ...server.pki.controller });
  const [port] = (await freePorts(1)) as [number];
  admission = admissionServer({
    profiles: () => PROFILES,
    tls: { certificate: server.pki.server.certificate, key: server.pki.server.key },
    log: pino({ level: 'silent' }),
  });
  await admission.listen({ host: '127.0.0.1', port });
  await installProduct({ client: admin, webhookUrl: `https://127.0.0.1:${port}`, webhookCa: server.pki.ca });
  for (const name of ['strict', 'firm', 'open', 'other'])
    await admin.create(namespaces, { metadata: { name } });
  // The API server follows webhooks and policies by watches, policies a second later.
  const tried = (object: Pod): Promise<Pod> => admin.create(pods, object, { dryRun: true });
  await until(
    async () => {
      const guarded = await tried(pod('other', { nodeName: 'fargate-ip-1' })).then(() => false, isRefusal);
      return guarded && (await tried(pod('strict'))).spec.schedulerName === 'fargate-scheduler';
    },
    { limitMs: 60_000, what: 'webhooks and guards to be in force' },
  );
}, 120_000);

afterAll(async () => {
  await admin?.close();
  await controller?.close();
  await admission?.close();
  await server?.stop();
}, 60_000);

const API = { apiVersion: 'cloister.dev/v1alpha1' } as const;

/** What the API server says to the object, or `accepted`. */
const verdict = async <T extends { metadata: { name?: string; namespace?: string } }>(
  resource: Resource<T>,
  object: T,
  client = admin,
): Promise<string> => {
  try {
    await client.create(resource, object);
  } catch (error) {
    return (error as Error).message;
  }
  await client.delete(resource, { ...object.metadata, name: object.metadata.name ?? '' });
  return 'accepted';
};

describe('the rules of a FargateProfile (spec §1.3, §1.4)', () => {
  const one = { namespace: 'a' };
  const labels = (count: number) =>
    Object.fromEntries(Array.from({ length: count }, (_, i) => [`k${i}`, 'v']));
  const judge = (spec: object, name = 'p') =>
    verdict(fargateProfiles, { ...API, kind: 'FargateProfile', metadata: { name }, spec } as FargateProfile);

  it.each<[string, object, string]>([
    [
      'everything at its limit',
      {
        selectors: [1, 2, 3, 4, 5].map(() => ({ namespace: '*', labels: labels(5) })),
        subnets: ['a'],
        podExecutionRoleArn: 'arn:aws:iam::111122223333:role/x',
        tags: { a: '' },
        policy: {
          reject: true,
          nodeLabels: { 'a.example/b': 'c' },
          rlimits: { nproc: { soft: 1, hard: 2 } },
        },
      },
      'accepted',
    ],
    ['no selectors', { selectors: [] }, 'Fargate Profile requires at least one selector.'],
    [
      'six selectors',
      { selectors: [1, 2, 3, 4, 5, 6].map(() => one) },
      'Fargate Profile has more than 5 selectors',
    ],
    [
      'an empty namespace',
      { selectors: [one, { namespace: '' }] },
      'Fargate Profile must have at least one selector with at least one namespace value.',
    ],
    ['no namespace', { selectors: [{ labels: { a: 'b' } }] }, 'spec.selectors[0].namespace: Required value'],
    [
      'six labels',
      { selectors: [{ ...one, labels: labels(6) }] },
      'Request contains Selector with more than 5 Label pairs',
    ],
    [
      'an empty label value',
      { selectors: [{ ...one, labels: { a: '' } }] },
      'Selector label keys have 1 to 127 characters and values 1 to 255',
    ],
    [
      'a long label value',
      { selectors: [{ ...one, labels: { a: 'v'.repeat(256) } }] },
      'may not be more than 255',
    ],
    [
      'a long label key',
      { selectors: [{ ...one, labels: { ['k'.repeat(128)]: 'v' } }] },
      'Selector label keys have 1 to 127 characters and values 1 to 255',
    ],
    [
      'a role with a path',
      { selectors: [one], podExecutionRoleArn: 'arn:aws:iam::111122223333:role/p/x' },
      'podExecutionRoleArn must have the form',
    ],
    [
      'a role with a name that IAM does not know',
      { selectors: [one], podExecutionRoleArn: 'arn:aws:iam::111122223333:role/p x' },
      'podExecutionRoleArn must have the form',
    ],
    [
      'a reserved tag',
      { selectors: [one], tags: { 'AWS:x': 'y' } },
      'Tag keys must not begin with aws:, which is reserved',
    ],
    ['a long tag value', { selectors: [one], tags: { k: 'v'.repeat(257) } }, 'may not be more than 256'],
    [
      'a long tag key',
      { selectors: [one], tags: { ['k'.repeat(129)]: '' } },
      'Tag keys have 1 to 128 characters',
    ],
    [
      'a soft limit above the hard one',
      { selectors: [one], policy: { rlimits: { nofile: { soft: 3, hard: 2 } } } },
      'the soft limit must not be above the hard one',
    ],
    [
      'more files than a kernel opens',
      { selectors: [one], policy: { rlimits: { nofile: { soft: 3, hard: 2_000_000 } } } },
      'should be less than or equal to 1048576',
    ],
    ...[
      'kubernetes.io/x',
      'node.kubernetes.io/x',
      'k8s.io/x',
      'eks.amazonaws.com/x',
      'a.b.cloister.dev/x',
    ].map((key): [string, object, string] => [
      `the node label ${key}`,
      { selectors: [one], policy: { nodeLabels: { [key]: '' } } },
      'nodeLabels must not begin with a reserved prefix',
    ]),
    ...[{ '-x': '' }, { 'A/b': '' }, { a: 'b c' }, { ['n'.repeat(64)]: '' }].map(
      (nodeLabels): [string, object, string] => [
        `the node label ${JSON.stringify(nodeLabels).slice(0, 20)}`,
        { selectors: [one], policy: { nodeLabels } },
        'nodeLabels must be labels',
      ],
    ),
    ['too many tags', { selectors: [one], tags: labels(51) }, 'must have at most 50'],
  ])('%s', async (_, spec, expected) => {
    expect(await judge(spec)).toContain(expected);
  });

  it.each([
    ['a'.repeat(63), 'accepted'],
    ['a.b', 'the name of a FargateProfile becomes a label value'],
    [`a${'b'.repeat(63)}`, 'the name of a FargateProfile becomes a label value'],
    ['eks-mine', 'names of Fargate profiles that start with eks- are reserved'],
  ])('the name %s', async (name, expected) => {
    expect(await judge({ selectors: [one] }, name)).toContain(expected);
  });
});

const subnet = (cidr: string): Subnet => ({
  ...API,
  kind: 'Subnet',
  metadata: { name: 's' },
  spec: { cidr, zone: 'z', type: 'private' },
});

describe('the rules of a Subnet', () => {
  it.each([
    ['10.42.64.0/20', 'accepted'],
    ['10.42.64.1/20', 'cidr must be an IPv4 network'],
    ['10.42.64.0/29', 'the prefix of a subnet must be between /16 and /28'],
    ['10.0.0.0/8', 'the prefix of a subnet must be between /16 and /28'],
    ['fd00::/64', 'cidr must be an IPv4 network'],
    ['nonsense', 'cidr must be an IPv4 network'],
  ])('%s', async (cidr, expected) => {
    expect(await verdict(subnets, subnet(cidr))).toContain(expected);
  });

  it('fill in the kind of zone, and keep the range', async () => {
    const stored = await admin.create(subnets, subnet('10.42.64.0/20'));
    expect(stored.spec.zoneType).toBe('availability-zone');
    const moved = admin.patch(subnets, { name: 's' }, { spec: { cidr: '10.42.80.0/20' } }, { type: 'merge' });
    await expect(moved).rejects.toThrow('the cidr of a Subnet cannot be changed');
  });
});

describe('a MicroVM', () => {
  const machine = {
    name: 'vm-u',
    pod: { namespace: 'strict', name: 'p', uid: 'u' },
    profile: 'strict',
    size: { milliCpu: 250, memoryMiB: 512, storageGiB: 20 },
    placement: { subnet: 's', zone: 'z', region: 'r', address: '10.42.64.7' },
    securityGroups: [],
    image: 'i',
  };
  it('has a spec that nobody changes, and a status', async () => {
    await controller.create(microVMs, microVMOf(machine));
    const changed = controller.patch(microVMs, { name: 'vm-u' }, { spec: { image: 'x' } }, { type: 'merge' });
    await expect(changed).rejects.toThrow('the spec of a MicroVM is frozen when it is created');
    const status: MicroVM['status'] = {
      conditions: [
        {
          type: 'Placed',
          status: 'True',
          reason: 'Placed',
          message: '',
          lastTransitionTime: '2026-01-01T00:00:00Z',
        },
      ],
      stages: { Placed: '2026-01-01T00:00:00.123456Z' },
    };
    const options = { type: 'merge', subresource: 'status' } as const;
    const stored = await controller.patch(microVMs, { name: 'vm-u' }, { status }, options);
    expect(stored.status).toEqual(status);
    await controller.patch(microVMs, { name: 'vm-u' }, { metadata: { finalizers: null } }, { type: 'merge' });
    await controller.delete(microVMs, { name: 'vm-u' });
  });
});

const pod = (namespace: string, spec: Partial<Pod['spec']> = {}): Pod => ({
  metadata: { namespace, name: 'p', labels: { app: 'web' } },
  spec: { containers: [{ name: 'c', image: 'i' }], ...spec },
});

/** Creates a pod, deletes it at once, and gives what was stored. */
const stored = async (object: Pod, client = admin): Promise<Pod> => {
  const result = await client.create(pods, object);
  const { namespace = '', name = '' } = result.metadata;
  await client.delete(pods, { namespace, name }, { gracePeriodSeconds: 0 });
  return result;
};

describe('a pod that is created', () => {
  it.each<[string, Partial<Pod['spec']>]>([
    ['plain', {}],
    [
      'with another scheduler, tolerations and volumes',
      {
        schedulerName: 'default-scheduler',
        nodeSelector: { a: 'b' },
        tolerations: [{ operator: 'Exists' }],
        volumes: [{ name: 'v', emptyDir: {} }],
      },
    ],
    [
      'unsupported',
      { hostPID: true, containers: [{ name: 'c', image: 'i', securityContext: { privileged: true } }] },
    ],
    ['too large', { containers: [{ name: 'c', image: 'i', resources: { requests: { cpu: '17' } } }] }],
  ])('%s: differs in the fields of spec §2.2 and no other', async (_, spec) => {
    const [plain, changed] = [await stored(pod('other', spec)), await stored(pod('strict', spec))];
    expect(changed.metadata.labels).toEqual({
      ...plain.metadata.labels,
      'eks.amazonaws.com/fargate-profile': 'strict',
    });
    expect(changed.metadata.annotations).toEqual(plain.metadata.annotations);
    expect(changed.spec).toEqual({
      ...plain.spec,
      schedulerName: 'fargate-scheduler',
      priorityClassName: 'system-node-critical',
      priority: 2000001000,
      preemptionPolicy: 'PreemptLowerPriority',
    });
  });

  it('may have a priority class that never preempts', async () => {
    const group = {
      group: 'scheduling.k8s.io',
      version: 'v1',
      plural: 'priorityclasses',
      kind: 'PriorityClass',
      namespaced: false,
    };
    await admin.create<{ metadata: { name: string } }>(group, {
      metadata: { name: 'never' },
      value: 5,
      preemptionPolicy: 'Never',
    } as never);
    expect((await stored(pod('strict', { priorityClassName: 'never' }))).spec.priorityClassName).toBe(
      'system-node-critical',
    );
    const open = await stored(pod('open', { priorityClassName: 'never' }));
    expect([open.spec.priorityClassName, open.spec.priority, open.spec.preemptionPolicy]).toEqual([
      'never',
      5,
      'Never',
    ]);
  });

  it('is refused where the profile says so', async () => {
    expect(await verdict(pods, pod('firm', { hostNetwork: true }))).toContain(
      'Pod not supported on Fargate: fields not supported: HostNetwork',
    );
  });
});

describe('the guard of our nodes', () => {
  it('lets nobody create a pod on one', async () => {
    expect(await verdict(pods, pod('other', { nodeName: 'fargate-ip-1' }))).toContain(
      'pods cannot be created on nodes whose name starts with fargate-',
    );
    await stored(pod('other', { nodeName: 'ordinary' }));
  });

  it('lets the controller alone bind', async () => {
    const bind = (client: KubeClient, node: string, namespace: string) =>
      client.create(
        pods,
        { metadata: { namespace, name: 'p' }, target: { kind: 'Node', name: node } } as never,
        {
          subresource: 'binding',
          name: 'p',
          namespace,
        },
      );
    await admin.create(pods, pod('strict'));
    await expect(bind(admin, 'fargate-ip-1', 'strict')).rejects.toThrow(
      'only cloister:controller binds pods',
    );
    await bind(controller, 'fargate-ip-1', 'strict');
    await admin.create(pods, pod('other'));
    await bind(admin, 'ordinary', 'other');
  });
});

describe('the guard of what a Node says of its machine', () => {
  const mine = { name: 'fargate-ip-1' };
  let node: KubeClient;

  beforeAll(async () => {
    node = new KubeClient({ ...server.config, ...server.pki.node });
    const labels = { 'eks.amazonaws.com/compute-type': 'fargate' };
    const annotations = { 'cloister.dev/microvm': 'vm-1' };
    await admin.create(nodes, { apiVersion: 'v1', kind: 'Node', metadata: { ...mine, labels, annotations } });
  });
  afterAll(async () => {
    await node.close();
    await admin.delete(nodes, mine);
  });

  it.each([
    ['says that it is another machine', { annotations: { 'cloister.dev/microvm': 'vm-2' } }],
    ['says that it is none', { annotations: { 'cloister.dev/microvm': null } }],
    ['hides from us', { labels: { 'eks.amazonaws.com/compute-type': null } }],
    ['outlives its machine', { finalizers: ['example.com/stay'] }],
  ])('no node of ours %s', async (_what, metadata) => {
    for (const subresource of [undefined, 'status']) {
      const options = { type: 'merge', ...(subresource && { subresource }) } as const;
      await expect(node.patch(nodes, mine, { metadata }, options)).rejects.toThrow(
        'nodes whose name starts with fargate- say of which machine they are what cloister:controller wrote',
      );
    }
  });

  it('lets none register itself, as one whose machine is gone could', async () => {
    const late = node.create(nodes, { apiVersion: 'v1', kind: 'Node', metadata: mine });
    await expect(late).rejects.toThrow('do not register themselves');
  });

  it('lets it say all else, and others say what they like', async () => {
    const annotations = { 'csi.volume.kubernetes.io/nodeid': '{}' };
    await node.patch(nodes, mine, { metadata: { annotations } }, { type: 'merge' });
    await node.patch(
      nodes,
      mine,
      { status: { nodeInfo: { bootID: 'b' } } },
      { type: 'merge', subresource: 'status' },
    );
    await admin.patch(nodes, mine, { metadata: { finalizers: ['example.com/stay'] } }, { type: 'merge' });
    await admin.patch(nodes, mine, { metadata: { finalizers: null } }, { type: 'merge' });
  });
});

describe('the end of a pod that is gone', () => {
  it('is no end of the one that has its name now', async () => {
    const key = { namespace: 'other', name: 'again' };
    await admin.create(pods, { ...pod('other'), metadata: key });
    const events = { event: async () => {} };
    const known = { assume: () => {} };
    const context = { client: controller, pods: known, events, now: () => new Date() };
    const earlier = { ...key, uid: '00000000-0000-4000-8000-000000000001' };
    await expect(
      failPod({ machine: { pod: earlier } } as View, 'it ended', context as unknown as Context),
    ).rejects.toThrow('metadata.uid: Invalid value');
    const reason = { runs: false, reason: 'Unschedulable', message: 'no room' } as const;
    const told = { ...pod('other'), metadata: earlier } as Pod;
    await expect(explain(told, reason, context)).rejects.toThrow('metadata.uid: Invalid value');
    const { status } = await admin.get(pods, key);
    expect([status?.phase, status?.conditions]).toEqual(['Pending', undefined]);
    await admin.delete(pods, key, { gracePeriodSeconds: 0 });
  });
});

describe('the guard of the network', () => {
  it('lets nobody delete it', async () => {
    await admin.create(networks, bareNetwork('sg-cluster'));
    await expect(admin.delete(networks, { name: 'cluster' })).rejects.toThrow(
      'all machines are in Network cluster: it can be changed and not deleted',
    );
  });
});

/** A certificate request as the controller makes it for a node, PEM. */
const nodeRequest = async (): Promise<string> => {
  const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
  const request = await x509.Pkcs10CertificateRequestGenerator.create({
    name: 'O=system:nodes, CN=system:node:fargate-ip-1',
    keys,
    signingAlgorithm: algorithm,
    extensions: [new x509.SubjectAlternativeNameExtension([{ type: 'ip', value: '10.42.64.7' }])],
  });
  return request.toString('pem');
};

describe('the controller', () => {
  it('reads no secrets and makes no pods', async () => {
    await expect(controller.list(secrets)).rejects.toThrow('forbidden');
    await expect(
      controller.create(pods, { ...pod('other'), metadata: { namespace: 'other', name: 'q' } }),
    ).rejects.toThrow('forbidden');
  });

  it('makes tokens of one service account', async () => {
    const token = (name: string) =>
      controller.create(
        serviceAccounts,
        { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', metadata: {}, spec: {} } as never,
        { subresource: 'token', name, namespace: 'kube-system' },
      );
    await admin.create(serviceAccounts, { metadata: { name: 'mine', namespace: 'kube-system' } });
    await expect(token('mine')).rejects.toThrow('forbidden');
    await token('cloister-kube-proxy');
  });

  it('approves certificates of nodes and no others', async () => {
    const approve = async (signerName: string, usage: string) => {
      const name = signerName.split('/')[1] ?? '';
      const request = Buffer.from(await nodeRequest()).toString('base64');
      await controller.create(certificateSigningRequests, {
        metadata: { name },
        spec: { request, signerName, usages: [usage] },
      });
      const approval = { status: { conditions: [{ type: 'Approved', status: 'True', reason: 'Test' }] } };
      const options = { type: 'merge', subresource: 'approval' } as const;
      return controller.patch(certificateSigningRequests, { name }, approval, options);
    };
    await approve('kubernetes.io/kubelet-serving', 'server auth');
    await approve('kubernetes.io/kube-apiserver-client-kubelet', 'client auth');
    await expect(approve('kubernetes.io/kube-apiserver-client', 'client auth')).rejects.toThrow(
      'not permitted',
    );
  });
});

describe('generated manifests', () => {
  it('are what is installed, as YAML', async () => {
    for (const [path, content] of Object.entries(await generate())) {
      const documents = loadAll(content).filter(Boolean);
      expect(documents.length, path).toBeGreaterThan(0);
      expect(loadAll(documents.map((one) => `---\n${dump(one)}`).join(''))).toEqual(documents);
    }
  });
});
