/** Pod specs of every shape that decisions look at, most of them accepted by the API server. */
import fc from 'fast-check';
import type { Container, Pod, PodSpec, Volume } from '../../src/core/pod.ts';

/** The value once in `weight` times. */
const sometimes = <T>(value: fc.Arbitrary<T>, weight = 4): fc.Arbitrary<T | undefined> =>
  fc.oneof(
    { arbitrary: fc.constant(undefined), weight: weight - 1 },
    { arbitrary: value as fc.Arbitrary<T | undefined>, weight: 1 },
  );

/** The object without members that are undefined, as JSON has it. */
const dense = <T extends object>(object: { [K in keyof T]: T[K] | undefined }): T =>
  Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined)) as T;

const cpu = fc.constantFrom('100m', '250m', '251m', '500m', '1', '1500m', '2', '4', '7.5', '16', '17');
const memory = fc.constantFrom(
  '64Mi',
  '256Mi',
  '257Mi',
  '512M',
  '1Gi',
  '1793Mi',
  '8Gi',
  '30Gi',
  '119.75Gi',
  '120Gi',
);
const storage = fc.constantFrom('1Gi', '16Gi', '17Gi', '100Gi', '176Gi');
const gpu = fc.constantFrom('1', '2');

const requests = fc
  .record({
    cpu: sometimes(cpu, 2),
    memory: sometimes(memory, 2),
    'ephemeral-storage': sometimes(storage, 12),
  })
  .map((amounts) => dense<Record<string, string>>(amounts));

const resources = fc
  .record({ requests: sometimes(requests, 2), gpu: sometimes(gpu, 20) })
  .map(({ requests: own, gpu: count }) =>
    dense<NonNullable<Container['resources']>>({
      requests: own,
      limits: count === undefined ? undefined : { 'nvidia.com/gpu': count },
    }),
  );

const capability = fc.constantFrom('CHOWN', 'KILL', 'NET_RAW', 'NET_ADMIN', 'SYS_PTRACE', 'CAP_CHOWN', 'ALL');

const securityContext = fc
  .record({
    privileged: sometimes(fc.boolean(), 6),
    allowPrivilegeEscalation: sometimes(fc.constant(true), 6),
    add: sometimes(fc.uniqueArray(capability, { maxLength: 3 }), 3),
    runAsUser: sometimes(fc.constant(1000), 3),
  })
  .map(({ add, ...rest }) =>
    dense<NonNullable<Container['securityContext']>>({
      ...rest,
      capabilities: add === undefined ? undefined : { add, drop: ['MKNOD'] },
    }),
  );

const ports = fc.uniqueArray(
  fc
    .record({
      containerPort: fc.constantFrom(80, 443, 8080, 10250),
      hostPort: sometimes(fc.constant(true), 8),
    })
    .map(({ containerPort, hostPort }) =>
      dense<{ containerPort: number; hostPort?: number }>({
        containerPort,
        hostPort: hostPort && containerPort,
      }),
    ),
  { maxLength: 2, selector: ({ containerPort }) => containerPort },
);

const container = (sidecars: boolean): fc.Arbitrary<Container> =>
  fc
    .record({
      resources: sometimes(resources, 2),
      securityContext: sometimes(securityContext, 3),
      ports: sometimes(ports, 4),
      restartPolicy: sidecars ? sometimes(fc.constant('Always'), 2) : fc.constant(undefined),
    })
    .map((own) => dense<Container>({ name: '', image: 'registry.local/none:1', ...own }));

const volume: fc.Arbitrary<Volume> = fc.constantFrom<Omit<Volume, 'name'>>(
  {},
  { emptyDir: {} },
  { emptyDir: { medium: 'Memory', sizeLimit: '64Mi' } },
  { configMap: { name: 'c' } },
  { secret: { secretName: 's' } },
  { downwardAPI: {} },
  { projected: { sources: [{ configMap: { name: 'c' } }] } },
  { nfs: { server: 'n', path: '/' } },
  { hostPath: { path: '/' } },
  { csi: { driver: 'secrets-store.csi.k8s.io' } },
  { awsElasticBlockStore: { volumeID: 'v' } },
  { persistentVolumeClaim: { claimName: 'absent' } },
  { persistentVolumeClaim: { claimName: 'unbound' } },
  { persistentVolumeClaim: { claimName: 'bound-efs' } },
  { persistentVolumeClaim: { claimName: 'bound-ebs' } },
  {
    ephemeral: {
      volumeClaimTemplate: {
        spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } },
      },
    },
  },
) as fc.Arbitrary<Volume>;

const selector = fc.constantFrom<Record<string, string>>(
  { 'kubernetes.io/os': 'linux' },
  { 'kubernetes.io/arch': 'arm64' },
  { 'topology.kubernetes.io/zone': 'local-1a' },
  { 'topology.kubernetes.io/zone': 'nowhere' },
  { disk: 'ssd' },
);

const nodeAffinity = fc.constantFrom('linux', 'windows').map((os) => ({
  requiredDuringSchedulingIgnoredDuringExecution: {
    nodeSelectorTerms: [
      { matchExpressions: [{ key: 'kubernetes.io/os', operator: 'In' as const, values: [os] }] },
    ],
  },
}));

/** Which pods a rule is about, and where: pods of every application, in the same zone or on the same host. */
const about = fc.record({
  labelSelector: fc.constantFrom({ matchLabels: { app: 'web' } }, { matchLabels: { app: 'db' } }, {}),
  topologyKey: fc.constantFrom('topology.kubernetes.io/zone', 'kubernetes.io/hostname'),
});
const podAffinity = about.map((term) => ({ requiredDuringSchedulingIgnoredDuringExecution: [term] }));

const affinity = fc
  .record({
    nodeAffinity: sometimes(nodeAffinity, 2),
    podAffinity: sometimes(podAffinity, 4),
    podAntiAffinity: sometimes(podAffinity, 4),
  })
  .map((parts) => dense<NonNullable<PodSpec['affinity']>>(parts));

const spread = fc
  .record({ maxSkew: fc.constantFrom(1, 2), term: about })
  .map(({ term, maxSkew }) => [{ maxSkew, whenUnsatisfiable: 'DoNotSchedule', ...term }]);

const named = <T extends { name: string }>(prefix: string, list: readonly T[]): T[] =>
  list.map((one, i) => ({ ...one, name: `${prefix}${i}` }));

/** A spec; names of containers and volumes are `c0`, `i0`, `v0` and so on. */
export const podSpecs: fc.Arbitrary<PodSpec> = fc
  .record({
    containers: fc.array(container(false), { minLength: 1, maxLength: 3 }),
    initContainers: sometimes(fc.array(container(true), { minLength: 1, maxLength: 2 }), 3),
    volumes: sometimes(fc.array(volume, { maxLength: 3 }), 2),
    hostNetwork: sometimes(fc.boolean(), 6),
    hostPID: sometimes(fc.boolean(), 6),
    hostIPC: sometimes(fc.boolean(), 6),
    nodeSelector: sometimes(selector, 6),
    affinity: sometimes(affinity, 4),
    topologySpreadConstraints: sometimes(spread, 6),
    overhead: fc.constant(undefined),
    schedulerName: sometimes(fc.constantFrom('default-scheduler', 'fargate-scheduler', 'theirs'), 6),
  })
  .map(({ containers, initContainers, volumes, ...rest }) =>
    dense<PodSpec>({
      ...rest,
      containers: named('c', containers),
      initContainers: initContainers && named('i', initContainers),
      volumes: volumes && named('v', volumes),
    }),
  );

/** Labels and annotations that profiles select by. */
export const podMetadata = fc
  .record({
    labels: sometimes(
      fc.dictionary(
        fc.constantFrom('app', 'tier', 'eks.amazonaws.com/fargate-profile'),
        fc.constantFrom('web', 'db', 'apps', 'nobody'),
        {
          maxKeys: 2,
        },
      ),
      2,
    ),
    annotations: sometimes(
      fc.constantFrom<Record<string, string>>(
        { 'eks.amazonaws.com/compute-type': 'ec2' },
        { 'eks.amazonaws.com/compute-type': 'fargate' },
        { CapacityProvisioned: '9vCPU 1GB' },
      ),
      6,
    ),
  })
  .map((metadata) => dense<Pod['metadata']>(metadata));
