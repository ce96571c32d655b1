/** Services and load balancers in front of real guests, and Services as a guest's own kube-proxy serves them. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CONTROL_ADDRESS, namespaces, REGISTRY_PORT } from '../../src/cluster/plan.ts';
import { machineNamespace } from '../../src/compute/local/prepare.ts';
import type { Pod } from '../../src/core/pod.ts';
import { until } from '../../src/host/wait.ts';
import { clientIn } from '../support/balanced.ts';
import { refusedAt } from '../support/filters.ts';
import { apply, kubectl, kubectlUntil, read } from '../support/kubectl.ts';
import {
  BUSYBOX,
  fargateNamespace,
  fetchedIn,
  inPod,
  machineOfPod,
  readyAccount,
  readyNamespace,
  readyPod,
  removeFargateNamespace,
  shellPod,
  untilInPod,
  workload,
} from '../support/machines.ts';
import { clusterOfRun } from '../support/run.ts';

const NS = 'vm-services';
const ORDINARY = 'vm-services-ordinary';
const NODE = '10.42.0.3';
const DNS = '10.96.0.10';

const control = clientIn(namespaces(clusterOfRun().name).control);

const serve = (greeting: string): string =>
  `mkdir -p /tmp/www/api; echo ${greeting} >/tmp/www/index.html; echo api >/tmp/www/api/index.html; httpd -f -p 8080 -h /tmp/www`;

/**
 * A pod that is told to end serves until its time is over or somebody ends its server: the shell is process 1 and
 * has no handler for SIGTERM. Its probe bears with a machine that is busy, because a pod that is not ready is no target.
 */
const web = (greeting: string, terminationGracePeriodSeconds: number): object =>
  workload(
    'Deployment',
    NS,
    'web',
    {
      terminationGracePeriodSeconds,
      containers: [
        {
          name: 'main',
          image: BUSYBOX,
          command: ['sh', '-c', `${serve(greeting)}; :`],
          resources: { requests: { cpu: '500m' } },
          readinessProbe: {
            httpGet: { port: 8080 },
            periodSeconds: 1,
            timeoutSeconds: 10,
            failureThreshold: 10,
          },
        },
      ],
    },
    { strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } } },
  );

const service = (namespace: string, name: string, spec: object, annotations = {}): object => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { namespace, name, annotations },
  spec: { ports: [{ name: 'web', port: 80, targetPort: 8080 }], ...spec },
});

const IP_TARGETS = {
  'service.beta.kubernetes.io/aws-load-balancer-type': 'external',
  'service.beta.kubernetes.io/aws-load-balancer-nlb-target-type': 'ip',
  'service.beta.kubernetes.io/aws-load-balancer-healthcheck-healthy-threshold': '2',
};

const backend = (name: string): object => ({ service: { name, port: { name: 'web' } } });

const ingress: object = {
  apiVersion: 'networking.k8s.io/v1',
  kind: 'Ingress',
  metadata: { namespace: NS, name: 'web', annotations: { 'alb.ingress.kubernetes.io/target-type': 'ip' } },
  spec: {
    ingressClassName: 'alb',
    rules: [
      {
        host: 'shop.example',
        http: {
          paths: [
            { path: '/api', pathType: 'Prefix', backend: backend('web') },
            { path: '/', pathType: 'Prefix', backend: backend('echo') },
          ],
        },
      },
    ],
  },
};

const echo = (name: string): object => ({ ...shellPod(NS, name, serve(name)) });

/** Pods of the ordinary node, in the namespace that has no profile. */
const ordinary = (name: string): object => shellPod(ORDINARY, name, serve(name));

let balancer = '';
let front = '';
const addresses: Record<string, string> = {};

const addressOf = (kind: string): Promise<string> =>
  kubectlUntil(
    ['get', kind, 'web', '-n', NS, '-o', 'jsonpath={.status.loadBalancer.ingress[0].ip}'],
    (text) => text !== '',
    `the address of ${kind} web`,
    60_000,
  );

beforeAll(async () => {
  const [namespace, profile] = fargateNamespace(NS) as [{ metadata: object }, object];
  const labels = { 'elbv2.k8s.aws/pod-readiness-gate-inject': 'enabled' };
  await apply(
    { ...namespace, metadata: { ...namespace.metadata, labels } },
    profile,
    { apiVersion: 'v1', kind: 'Namespace', metadata: { name: ORDINARY } },
    service(NS, 'web', { type: 'LoadBalancer', selector: { app: 'web' } }, IP_TARGETS),
    service(NS, 'echo', { selector: { app: 'client' } }),
    ingress,
  );
  [balancer, front] = await Promise.all([addressOf('service'), addressOf('ingress')]);
  await readyNamespace(NS);
  await readyAccount(ORDINARY);
  await apply(web('one', 120), echo('client'), ordinary('left'), ordinary('right'));
  for (const [namespaceOf, name] of [
    [NS, 'client'],
    [ORDINARY, 'left'],
    [ORDINARY, 'right'],
  ] as const)
    addresses[name] = (await readyPod(namespaceOf, name)).status?.podIP ?? '';
  await kubectl(['rollout', 'status', '-n', NS, 'deployment/web', '--timeout=240s'], { limitMs: 250_000 });
}, 400_000);

afterAll(async () => {
  await kubectl(['delete', 'namespace', ORDINARY, '--wait=false']);
  await removeFargateNamespace(NS);
}, 300_000);

/** What a pod gets from a URL, `nothing` when it gets no answer. */
const fetchIn = (namespace: string, pod: string, url: string): Promise<string> =>
  inPod(namespace, pod, `timeout 3 wget -qO- ${url} 2>/dev/null || echo nothing`);

const webPods = async (): Promise<readonly Pod[]> =>
  (await read<{ items: Pod[] }>('pods', '-n', NS, '-l', 'app=web')).items;

describe('a load balancer', () => {
  it('reaches the pod on its machine: from the network, an ordinary pod and another machine', async () => {
    expect((await control.ask(`http://${balancer}/`)).body.trim()).toBe('one');
    expect(await fetchedIn(ORDINARY, 'left', `http://${balancer}/`)).toBe('one');
    expect(await fetchedIn(NS, 'client', `http://${balancer}/`)).toBe('one');
  });

  it('has opened the readiness gate of the pod', async () => {
    const [pod] = await webPods();
    const gate = pod?.status?.conditions?.find(({ type }) =>
      type.startsWith('target-health.elbv2.k8s.aws/k8s-vmservic-web-'),
    );
    expect(gate).toMatchObject({ status: 'True', reason: 'Healthy' });
  });

  it('routes an Ingress by host and path', async () => {
    const ask = async (path: string, host: string) => {
      const { status, body } = await control.ask(`http://${front}${path}`, host);
      return status === 200 ? body.trim() : status;
    };
    expect(await ask('/api/', 'shop.example')).toBe('api');
    expect(await ask('/', 'shop.example')).toBe('client');
    expect(await ask('/', 'other.example')).toBe(404);
  });

  it('fails no request of a rolling update, and leaves a pod that ends while that still serves', async () => {
    const [old] = await webPods();
    const name = old?.metadata.name ?? '';
    const direct = `http://${old?.status?.podIP}:8080/`;
    const asking = control.askOn(`http://${balancer}/`, 100);
    await apply(web('two', 2));
    await kubectl(['rollout', 'status', '-n', NS, 'deployment/web', '--timeout=240s'], { limitMs: 250_000 });
    expect((await read<Pod>('pod', '-n', NS, name)).metadata.deletionTimestamp).toBeDefined();
    await until(
      async () => {
        const answers = await Promise.all([1, 2, 3].map(() => control.ask(`http://${balancer}/`)));
        return answers.every(({ body }) => body.trim() === 'two');
      },
      { limitMs: 60_000, what: `the balancer to leave pod ${name}` },
    );
    expect((await control.ask(direct)).body.trim()).toBe('one');
    await inPod(NS, name, 'killall httpd');
    await until(async () => (await control.ask(direct)).status === 0, {
      limitMs: 60_000,
      what: `pod ${name} to end`,
    });
    const counts = JSON.parse(await asking.finish()) as object;
    expect(counts).toEqual({ one: expect.any(Number), two: expect.any(Number) });
  }, 400_000);
});

describe('a NodePort', () => {
  it('is not served on the address of a pod, and is on an ordinary node', async () => {
    const port = await kubectl([
      'get',
      'service',
      'web',
      '-n',
      NS,
      '-o',
      'jsonpath={.spec.ports[0].nodePort}',
    ]);
    const address = (await webPods()).at(-1)?.status?.podIP;
    const guest = `http://${address}:${port}/`;
    const node = `http://${NODE}:${port}/`;
    expect([
      (await control.ask(guest)).status,
      await fetchIn(ORDINARY, 'left', guest),
      await fetchIn(NS, 'client', guest),
    ]).toEqual([0, 'nothing', 'nothing']);
    expect([(await control.ask(node)).body.trim(), await fetchedIn(NS, 'client', node)]).toEqual([
      'two',
      'two',
    ]);
  });
});

interface Hinted {
  readonly pod: string;
  readonly zone?: string;
}

/** A Service whose slice is written by hand. */
const withSlice = async (
  name: string,
  spec: object,
  endpoints: readonly object[],
  port = 8080,
): Promise<void> => {
  const labels = { 'kubernetes.io/service-name': name, 'endpointslice.kubernetes.io/managed-by': 'test' };
  await apply(service(NS, name, spec), {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { namespace: NS, name, labels },
    addressType: 'IPv4',
    ports: [{ name: 'web', port, protocol: 'TCP' }],
    endpoints: endpoints.map((one) => ({ conditions: { ready: true }, ...one })),
  });
};

/** A Service of pods of the ordinary node, by name. */
const withEndpoints = (name: string, spec: object, endpoints: readonly Hinted[]): Promise<void> =>
  withSlice(
    name,
    spec,
    endpoints.map(({ pod, zone }) => ({
      addresses: [addresses[pod]],
      ...(zone === undefined ? {} : { zone, hints: { forZones: [{ name: zone }] } }),
    })),
  );

/** Who answers a guest that asks a Service a dozen times. */
const answering = async (name: string): Promise<readonly string[]> => {
  await fetchedIn(NS, 'client', `http://${name}/`);
  const script = `for i in 1 2 3 4 5 6 7 8 9 10 11 12; do timeout 10 wget -qO- http://${name}/; done`;
  return [...new Set((await inPod(NS, 'client', script)).split('\n'))].toSorted();
};

describe('in a guest', () => {
  const both = [{ pod: 'left' }, { pod: 'right' }];

  it('a Service spreads over its pods, with session affinity it stays with one', async () => {
    await withEndpoints('spread', {}, both);
    // Chance chooses: once in two thousand times one of them answers all dozen.
    const answered = await until(
      async () => {
        const names = await answering('spread');
        return names.length > 1 && names;
      },
      { limitMs: 60_000, what: 'more than one pod of Service spread to answer' },
    );
    expect(answered).toEqual(['left', 'right']);
    await withEndpoints('sticky', { sessionAffinity: 'ClientIP' }, both);
    expect(await answering('sticky')).toHaveLength(1);
  });

  it('hints for its own zone are followed', async () => {
    const pod = await read<Pod>('pod', '-n', NS, 'client');
    const zone = await kubectl([
      ...['get', 'node', pod.spec.nodeName ?? ''],
      ...['-o', 'jsonpath={.metadata.labels.topology\\.kubernetes\\.io/zone}'],
    ]);
    const other = zone === 'local-1a' ? 'local-1b' : 'local-1a';
    const endpoints = [
      { pod: 'left', zone },
      { pod: 'right', zone: other },
    ];
    await withEndpoints('near', { trafficDistribution: 'PreferClose' }, endpoints);
    expect(await answering('near')).toEqual(['left']);
  });

  it('names resolve as in any pod: headless, ExternalName, search domains', async () => {
    const headless = { clusterIP: 'None', selector: { app: 'client' } };
    const external = { type: 'ExternalName', externalName: 'registry.cloister.internal', ports: [] };
    await apply(service(NS, 'headless', headless), service(NS, 'external', external));
    const resolved = (name: string) => untilInPod(NS, 'client', `nslookup ${name}.${NS}.svc.cluster.local`);
    expect(await resolved('headless')).toContain(addresses['client']);
    expect(await resolved('external')).toContain('registry.cloister.internal');
    const settings = (namespace: string, name: string) => inPod(namespace, name, 'cat /etc/resolv.conf');
    expect(await settings(NS, 'client')).toBe(
      (await settings(ORDINARY, 'left')).replaceAll(`${ORDINARY}.svc`, `${NS}.svc`),
    );
  });

  it('names resolve over TCP, too', async () => {
    const labels = `headless.${NS}.svc.cluster.local`.split('.');
    const name = labels.map((label) => String.fromCharCode(label.length) + label).join('');
    // One question for an address (RFC 1035), with its length before it.
    const question = Buffer.from(`\0\x01\x01\0\0\x01\0\0\0\0\0\0${name}\0\0\x01\0\x01`, 'latin1');
    const query = Buffer.concat([Buffer.from([0, question.length]), question]).toString('hex');
    const script = `(echo ${query} | xxd -r -p; sleep 1) | timeout 20 nc ${DNS} 53 | xxd -p | tr -d '\\n'`;
    const address = (addresses['client'] as string).split('.').map(Number);
    expect(await inPod(NS, 'client', script)).toContain(Buffer.from(address).toString('hex'));
  });

  it('a pod comes from its own address at addresses of Services outside the cluster, too', async () => {
    const [outside, registry] = ['198.51.100.8', '198.51.100.9'];
    await withEndpoints('outside', { externalIPs: [outside] }, [{ pod: 'left' }]);
    expect(await fetchedIn(NS, 'client', `http://${outside}/`)).toBe('left');
    // Where the node may go, and the pod may not.
    await withSlice(
      'registry',
      { externalIPs: [registry] },
      [{ addresses: [CONTROL_ADDRESS] }],
      REGISTRY_PORT,
    );
    const asked = `timeout 3 wget -qO- http://${registry}/v2/ >/dev/null 2>&1 && echo in || echo out`;
    await until(async () => (await inPod(NS, 'client', asked)) === 'in', {
      limitMs: 60_000,
      everyMs: 500,
      what: 'the registry to answer the guest behind a Service',
    });
    const closed = { podSelector: { matchLabels: { app: 'client' } }, policyTypes: ['Egress'] };
    const policy = { apiVersion: 'networking.k8s.io/v1', kind: 'NetworkPolicy', spec: closed };
    await apply({ ...policy, metadata: { namespace: NS, name: 'closed' } });
    const pod = await read<Pod>('pod', '-n', NS, 'client');
    const namespace = machineNamespace(clusterOfRun().name, machineOfPod(pod));
    const refused = `${addresses['client']} ${CONTROL_ADDRESS} tcp ${REGISTRY_PORT}`;
    await until(
      async () => (await inPod(NS, 'client', asked)) === 'out' && (await refusedAt(namespace)).has(refused),
      { limitMs: 60_000, everyMs: 500, what: 'the policy of the pod to refuse what goes to the registry' },
    );
    await kubectl(['delete', 'networkpolicy', '-n', NS, 'closed']);
  }, 240_000);

  it('a Service of four thousand endpoints holds nothing up, and takes little memory', async () => {
    const free = async () =>
      Number(await inPod(NS, 'client', "awk '/MemAvailable/ {print $2}' /proc/meminfo"));
    const before = await free();
    const slice = (index: number): object => ({
      apiVersion: 'discovery.k8s.io/v1',
      kind: 'EndpointSlice',
      metadata: {
        namespace: NS,
        name: `many-${index}`,
        labels: { 'kubernetes.io/service-name': 'many', 'endpointslice.kubernetes.io/managed-by': 'test' },
      },
      addressType: 'IPv4',
      ports: [{ name: 'web', port: 8080, protocol: 'TCP' }],
      endpoints: Array.from({ length: 1_000 }, (_, i) => ({
        addresses: [`10.42.${128 + index * 4 + Math.floor(i / 250)}.${(i % 250) + 1}`],
        conditions: { ready: true },
      })),
    });
    const items = [0, 1, 2, 3].map(slice);
    await apply(service(NS, 'many', {}));
    await kubectl(['create', '-f', '-'], {
      input: JSON.stringify({ apiVersion: 'v1', kind: 'List', items }),
    });
    await withEndpoints('after', {}, [{ pod: 'left' }]);
    expect(await answering('after')).toEqual(['left']);
    expect(before - (await free())).toBeLessThan(96 * 1024);
  }, 120_000);
});
