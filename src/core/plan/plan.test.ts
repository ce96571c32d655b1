import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { podMetadata, podSpecs } from '../../../test/support/pod-specs.ts';
import { applyPatch, type PatchOperation } from '../json-patch.ts';
import { Occupancy } from '../placement/occupancy.ts';
import type { Pod } from '../pod.ts';
import type { Policy } from '../validation/policy.ts';
import { startTimes, timeline } from './history.ts';
import { plan, type Surroundings } from './plan.ts';
import { pricePerHour } from './price.ts';
import { why } from './why.ts';
import { ManifestError, workloadOf } from './workload.ts';

const near = (policy: Policy = {}): Surroundings => ({
  profiles: [
    { metadata: { name: 'apps' }, spec: { selectors: [{ namespace: 'apps' }], policy } },
    {
      metadata: { name: 'jobs' },
      spec: { selectors: [{ namespace: 'apps', labels: { 'job-name': 'night*' } }] },
    },
  ],
  subnets: [{ metadata: { name: 'a' }, spec: { cidr: '10.0.0.0/28', zone: 'local-1a', type: 'private' } }],
  occupancy: new Occupancy(),
  capacity: { memoryMiB: 1_000_000, milliCpu: 1_000_000 },
  claims: () => ({ claim: () => undefined, volume: () => undefined }),
  region: 'local-1',
  places: {},
});

const deployment = (spec: object, replicas = 1): Record<string, unknown> => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'web', namespace: 'apps' },
  spec: { replicas, template: { metadata: { labels: { app: 'web' } }, spec } },
});
const container = (more: object = {}) => ({ containers: [{ name: 'c', image: 'i', ...more }] });

const planned = (object: Record<string, unknown>, around = near()) => {
  const workload = workloadOf(object, 'default');
  if (workload === undefined) throw new Error('no workload');
  return plan(workload, around);
};

describe('a plan', () => {
  it('tells profile, size, waste and room of a pod that runs', () => {
    const resources = { requests: { cpu: '300m', memory: '1Gi' } };
    expect(planned(deployment(container({ resources }), 2))).toMatchObject({
      kind: 'Deployment',
      namespace: 'apps',
      name: 'web',
      profile: 'apps',
      runs: true,
      size: '0.5vCPU 2GB',
      message: null,
      fix: null,
      replicas: 2,
      waste: { milliCpu: 200, memoryMiB: 768 },
      subnets: [{ name: 'a', zone: 'local-1a', free: 11, usable: 11 }],
      profiles: [
        { profile: 'apps', chosen: true },
        { profile: 'jobs', chosen: false, reasons: ['the pod has no label job-name=night*'] },
      ],
    });
  });

  it.each<[string, object, PatchOperation[]]>([
    [
      'a namespace of the host',
      { ...container(), hostPID: true },
      [{ op: 'remove', path: '/spec/template/spec/hostPID' }],
    ],
    [
      'the network of the host, with the ports that come with it',
      { ...container({ ports: [{ containerPort: 80 }] }), hostNetwork: true },
      [{ op: 'remove', path: '/spec/template/spec/hostNetwork' }],
    ],
    [
      'a prefix that is not taken away',
      container({ securityContext: { capabilities: { add: ['KILL', 'CAP_CHOWN'] } } }),
      [
        {
          op: 'replace',
          path: '/spec/template/spec/containers/0/securityContext/capabilities/add/1',
          value: 'CHOWN',
        },
      ],
    ],
    [
      'capabilities, all of them',
      container({ securityContext: { capabilities: { add: ['ALL'] } } }),
      [{ op: 'remove', path: '/spec/template/spec/containers/0/securityContext/capabilities/add' }],
    ],
    [
      'a port of the host',
      container({ ports: [{ containerPort: 80, hostPort: 80 }] }),
      [{ op: 'remove', path: '/spec/template/spec/containers/0/ports/0/hostPort' }],
    ],
    [
      'a path of the host',
      { ...container(), volumes: [{ name: 'v', hostPath: { path: '/' } }] },
      [{ op: 'replace', path: '/spec/template/spec/volumes/0', value: { name: 'v', emptyDir: {} } }],
    ],
    [
      'a GPU',
      container({ resources: { limits: { 'nvidia.com/gpu': 1 } } }),
      [{ op: 'remove', path: '/spec/template/spec/containers/0/resources/limits/nvidia.com~1gpu' }],
    ],
    [
      'a node that will not be',
      { ...container(), nodeSelector: { disk: 'ssd', 'kubernetes.io/os': 'linux' } },
      [{ op: 'remove', path: '/spec/template/spec/nodeSelector/disk' }],
    ],
    [
      'too much of everything',
      container({ resources: { requests: { cpu: 17, memory: '120Gi' } } }),
      [
        { op: 'add', path: '/spec/template/spec/containers/0/resources/requests/cpu', value: '16000m' },
        { op: 'add', path: '/spec/template/spec/containers/0/resources/requests/memory', value: '122624Mi' },
      ],
    ],
  ])('has the smallest edit for %s', (_, spec, fix) => {
    const result = planned(deployment(spec));
    expect(result).toMatchObject({ runs: false, fix });
    expect(planned(applyPatch(deployment(spec), fix))).toMatchObject({ runs: true, fix: null });
  });

  it('has none for what no edit of the pod can put right', () => {
    const volumes = [{ name: 'v', persistentVolumeClaim: { claimName: 'data' } }];
    expect(planned(deployment({ ...container(), volumes }))).toMatchObject({
      runs: false,
      message:
        'Pod not supported on Fargate: volumes not supported: v not supported because: persistentvolumeclaim "data" not found',
      fix: null,
    });
  });

  it('turns a DaemonSet into sidecars', () => {
    const spec = {
      ...container({ securityContext: { privileged: true } }),
      volumes: [{ name: 'v', hostPath: { path: '/' } }],
    };
    expect(planned({ ...deployment(spec), kind: 'DaemonSet' })).toMatchObject({
      profile: null,
      runs: false,
      message:
        'Pod not supported on Fargate: DaemonSet not supported, invalid SecurityContext fields: Privileged, volumes not supported: v is of an unsupported volume Type',
      fix: null,
      sidecars: {
        initContainers: [{ name: 'c', image: 'i', securityContext: {}, restartPolicy: 'Always' }],
        volumes: [{ name: 'v', emptyDir: {} }],
      },
    });
  });

  it('sees the labels that a Job puts on its pods', () => {
    const job = (name: string) => ({
      kind: 'Job',
      metadata: { name, namespace: 'apps' },
      spec: { parallelism: 3, completions: 2, template: { spec: container() } },
    });
    const jobs = { ...near(), profiles: near().profiles.slice(1) };
    expect(planned(job('nightly'), jobs)).toMatchObject({ profile: 'jobs', replicas: 2 });
    expect(planned(job('daily'), jobs)).toMatchObject({ profile: null, runs: false, message: null });
  });

  it('gives a StatefulSet the claims of its templates', () => {
    const set = { ...deployment(container()), kind: 'StatefulSet' };
    const spec = { template: { spec: container() }, volumeClaimTemplates: [{ metadata: { name: 'data' } }] };
    expect(planned({ ...set, spec }).message).toBe(
      'Pod not supported on Fargate: volumes not supported: data not supported because: PVC data-web-0 not bound',
    );
  });

  it('finds room for one workload after another, until there is none', () => {
    const around = near();
    expect(planned(deployment(container(), 8), around).runs).toBe(true);
    const second = { ...deployment(container(), 8), metadata: { name: 'second', namespace: 'apps' } };
    expect(planned(second, around)).toMatchObject({
      runs: false,
      message: "No free address in the Fargate profile's subnets: a",
      notes: ['3 of 8 pods find room'],
    });
  });

  it('tells of a profile that refuses at creation', () => {
    expect(planned(deployment({ ...container(), hostIPC: true }), near({ reject: true }))).toMatchObject({
      message: 'Pod not supported on Fargate: fields not supported: HostIPC',
      notes: ['profile apps refuses it at creation'],
    });
  });

  it('tells of gates, which hold a pod back that would run', () => {
    expect(
      planned(deployment({ ...container(), schedulingGates: [{ name: 'example.com/hold' }] })),
    ).toMatchObject({
      runs: true,
      notes: ['it waits for its scheduling gates: example.com/hold'],
    });
  });

  it('tells of the port that is the kubelet’s', () => {
    expect(planned(deployment(container({ args: ['--secure-port=10250'] }))).notes).toEqual([
      "container c listens on port 10250, which is the kubelet's on the pod's own address; use another, such as 10251",
    ]);
  });

  it.each<[string, Record<string, unknown>, string]>([
    ['no pod', { kind: 'Deployment', metadata: { name: 'x' } }, 'Deployment x: it has no spec.template.spec'],
    ['no containers', deployment({ containers: [] }), 'Deployment web: its pod has no containers'],
    ['no name', { kind: 'Pod', spec: container() }, 'Pod: it has no metadata.name'],
    [
      'labels that are no texts',
      { kind: 'Pod', metadata: { name: 'x', labels: { a: 1 } }, spec: container() },
      'Pod x: labels of its pod must be a map of texts; numbers and booleans need quotes',
    ],
  ])('is refused to an object with %s', (_, object, message) => {
    expect(() => planned(object)).toThrow(
      new ManifestError(message.split(': ')[0] ?? '', message.split(': ').slice(1).join(': ')),
    );
  });

  it('is never wrong about its fix, whatever the pod is', () => {
    fc.assert(
      fc.property(podSpecs, podMetadata, (spec, metadata) => {
        const object = { kind: 'Pod', metadata: { ...metadata, name: 'p', namespace: 'apps' }, spec };
        const result = planned(object);
        if (result.runs) expect(result.message).toBeNull();
        if (result.fix === null) return;
        const fixed = planned(applyPatch(object, result.fix));
        expect(fixed.runs || fixed.edits.every(({ transient }) => transient)).toBe(true);
      }),
      { numRuns: 1_000 },
    );
  }, 60_000);
});

describe('a price', () => {
  it('is that of what is provisioned, with 20 GB of disk free', () => {
    const rates = { currency: 'USD', vcpuHour: 0.04, gbHour: 0.004, storageGbHour: 0.0001 };
    expect(pricePerHour({ milliCpu: 500, memoryMiB: 2048, storageGiB: 20 }, rates)).toBeCloseTo(0.028);
    expect(pricePerHour({ milliCpu: 500, memoryMiB: 2048, storageGiB: 115 }, rates)).toBeCloseTo(0.0375);
  });
});

describe('recorded starts', () => {
  const took = (seconds: number) => ({
    stages: {
      Placed: '2026-01-01T00:00:00.000Z',
      Running: new Date(Date.UTC(2026, 0, 1, 0, 0, seconds)).toISOString(),
    },
  });
  it('give what to expect', () => {
    expect(
      startTimes([took(3), took(1), undefined, took(2), { stages: { Placed: '2026-01-01T00:00:00Z' } }]),
    ).toEqual({
      samples: 3,
      medianSeconds: 2,
      p90Seconds: 3,
    });
    expect(startTimes([undefined])).toBeUndefined();
  });
  it('are told stage by stage', () => {
    const status = {
      ...took(9),
      conditions: [
        {
          type: 'Booted' as const,
          status: 'False' as const,
          reason: 'Slow',
          message: 'm',
          lastTransitionTime: '',
        },
      ],
    };
    expect(timeline(status)).toEqual([
      { stage: 'Placed', at: '2026-01-01T00:00:00.000Z' },
      { stage: 'Booted', waits: 'Slow: m' },
      { stage: 'Running', at: '2026-01-01T00:00:09.000Z', seconds: 9 },
    ]);
  });
});

describe('why', () => {
  const made = (creationTimestamp: string, spec: Partial<Pod['spec']> = {}): Pod => ({
    metadata: { name: 'p', namespace: 'apps', creationTimestamp },
    spec: { schedulerName: 'default-scheduler', nodeName: 'ordinary', containers: [{ name: 'c' }], ...spec },
  });
  const dated = (creationTimestamp: string): Surroundings => ({
    ...near(),
    profiles: near()
      .profiles.slice(0, 1)
      .map((one) => ({ ...one, metadata: { ...one.metadata, creationTimestamp } })),
  });

  it('a pod that is older than its profile stays where it is', () => {
    expect(why(made('2026-01-01T00:00:00Z'), undefined, dated('2026-01-01T00:01:00Z'))).toMatchObject({
      profile: null,
      node: 'ordinary',
      because:
        'Fargate profile apps matches, but it was created at 2026-01-01T00:01:00Z, after the pod (2026-01-01T00:00:00Z): ' +
        'the decision is made once, when a pod is created; delete the pod to have it made again',
    });
    expect(why(made('2026-01-01T00:02:00Z'), undefined, dated('2026-01-01T00:01:00Z')).because).toMatch(
      /matches now, but nothing matched when the pod was created/,
    );
  });

  it.each<[string, Partial<Pod['spec']>, string]>([
    ['gates', { schedulingGates: [{ name: 'g' }] }, 'it waits for its scheduling gates: g'],
    ['the decision', {}, 'nothing stands in its way; the scheduler is about to place it'],
    ['a field', { hostPID: true }, 'Pod not supported on Fargate: fields not supported: HostPID'],
  ])('a pod of ours waits for %s', (_, spec, because) => {
    const pod = made('2026-01-01T00:02:00Z', { schedulerName: 'fargate-scheduler', nodeName: '', ...spec });
    const ours = {
      ...pod,
      metadata: { ...pod.metadata, labels: { 'eks.amazonaws.com/fargate-profile': 'apps' } },
    };
    expect(why(ours, undefined, near()).because).toBe(because);
  });

  it('tells the profile that the machine was made under, and no stage before one is told', () => {
    const pod = made('2026-01-01T00:02:00Z', { schedulerName: 'fargate-scheduler' });
    const labels = { 'eks.amazonaws.com/fargate-profile': 'changed' };
    const ours = { ...pod, metadata: { ...pod.metadata, labels } };
    expect(why(ours, { name: 'vm-1', profile: 'apps' }, near())).toMatchObject({
      profile: 'apps',
      because: 'its machine is starting',
    });
  });

  it('tells what keeps containers from starting, in the words of the kubelet', () => {
    const waits = (name: string, reason: string, message?: string) => ({
      ...{ name, image: 'i', imageID: '', ready: false, restartCount: 0 },
      state: { waiting: { reason, ...(message && { message }) } },
    });
    const containerStatuses = [
      waits('web', 'ImagePullBackOff', 'Back-off pulling image "i"'),
      waits('side', 'ContainerCreating'),
    ];
    const pod = made('2026-01-01T00:02:00Z', { schedulerName: 'fargate-scheduler' });
    const because = (initContainerStatuses: typeof containerStatuses) =>
      why(
        { ...pod, status: { phase: 'Pending', initContainerStatuses, containerStatuses } },
        { name: 'vm-1', profile: 'apps' },
        near(),
      ).because;
    expect(because([])).toBe(
      'its machine runs, and not all of its containers do: container web: ImagePullBackOff: Back-off pulling image "i"',
    );
    expect(because([waits('prepare', 'CrashLoopBackOff')])).toContain(
      'container prepare: CrashLoopBackOff; ',
    );
  });

  it('says what the text of the original does not say of a network without names', () => {
    const pod = made('2026-01-01T00:02:00Z', { schedulerName: 'fargate-scheduler', nodeName: '' });
    const labels = { 'eks.amazonaws.com/fargate-profile': 'apps' };
    const spec = { cidrs: ['10.0.0.0/16'], clusterSecurityGroup: 'sg', dnsSupport: false };
    const ours = { ...pod, metadata: { ...pod.metadata, labels } };
    expect(why(ours, undefined, { ...near(), network: { spec } }).because).toMatch(
      /^Pod provisioning timed out \(will retry\) for pod: .*; dnsSupport of the network is off, /,
    );
  });

  it('tells the groups of a pod of ours, and what they lack', () => {
    const pod = made('2026-01-01T00:02:00Z', { schedulerName: 'fargate-scheduler', nodeName: '' });
    const labels = { 'eks.amazonaws.com/fargate-profile': 'apps' };
    const annotations = { 'fargate.amazonaws.com/pod-sg': 'sg-a,sg-b' };
    const groups = { policies: () => [], account: () => ({}), lacks: (names: readonly string[]) => names };
    const ours = { ...pod, metadata: { ...pod.metadata, labels, annotations } };
    expect(why(ours, undefined, { ...near(), groups })).toMatchObject({
      securityGroups: ['sg-a', 'sg-b'],
      groupLacks: ['sg-a', 'sg-b'],
    });
    expect(why(ours, undefined, { ...near(), groups, groupExists: () => false }).groupLacks).toEqual([]);
  });
});
