/**
 * A hundred thousand pods through admission and the scheduler's decision, beside a slow reference that was
 * written apart from them: nothing crashes, and nothing passes that spec/fargate.md §3 refuses.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { podMetadata, podSpecs } from '../../../test/support/pod-specs.ts';
import { type Admission, admit } from '../admission/mutate.ts';
import { applyPatch } from '../json-patch.ts';
import { Occupancy } from '../placement/occupancy.ts';
import type { Container, Pod, PodSpec } from '../pod.ts';
import { Matcher } from '../profile/match.ts';
import { STEPS } from '../sizing/size.ts';
import type { Policy } from '../validation/policy.ts';
import { decide, type SchedulingProfile, type Verdict } from './decide.ts';

/** The long form: `CLOISTER_FUZZ_PODS=1000000 npx vitest run src/core/scheduling/fuzz.test.ts`. */
const PODS = Number(process.env['CLOISTER_FUZZ_PODS'] ?? 100_000);

const OPEN: Policy = {
  privileged: true,
  capabilities: true,
  hostNamespaces: true,
  hostPorts: true,
  volumes: true,
  sysctls: true,
  rlimits: { nofile: { soft: 1, hard: 2 } },
  nodeLabels: { disk: 'ssd' },
};

const PROFILES: readonly SchedulingProfile[] = [
  { metadata: { name: 'apps' }, spec: { selectors: [{ namespace: 'strict' }, { namespace: 'x*' }] } },
  {
    metadata: { name: 'open' },
    spec: { selectors: [{ namespace: 'open', labels: { 't?er': '*' } }], policy: OPEN },
  },
  { metadata: { name: 'web' }, spec: { selectors: [{ namespace: '*', labels: { app: 'w?b' } }] } },
];
const matcher = new Matcher(PROFILES);

const CLAIMS: Readonly<Record<string, string>> = {
  'bound-efs': 'efs.csi.aws.com',
  'bound-ebs': 'ebs.csi.aws.com',
};
const claims = {
  claim: (name: string) =>
    name === 'unbound' || CLAIMS[name] !== undefined
      ? { spec: { volumeName: name }, status: { phase: CLAIMS[name] === undefined ? 'Pending' : 'Bound' } }
      : undefined,
  volume: (name: string) => ({ spec: { csi: { driver: CLAIMS[name] ?? '', volumeHandle: 'h' } } }),
};

/** Lists and objects that are null, as hand-written JSON has them. */
const withNulls = fc.uniqueArray(
  fc.constantFrom('volumes', 'initContainers', 'ports', 'securityContext', 'resources'),
  {
    maxLength: 2,
  },
);
const nulled = (spec: PodSpec, fields: readonly string[]): PodSpec => {
  const less = (container: Container): Container => ({
    ...container,
    ...Object.fromEntries(fields.filter((key) => key in container).map((key) => [key, null])),
  });
  return {
    ...spec,
    ...Object.fromEntries(fields.filter((key) => key in spec).map((key) => [key, null])),
    containers: spec.containers.map(less),
  };
};

interface Sample {
  readonly pod: Pod;
  readonly namespace: string;
}

const samples: fc.Arbitrary<Sample> = fc
  .record({
    spec: podSpecs,
    metadata: podMetadata,
    nulls: fc.oneof({ arbitrary: fc.constant([]), weight: 4 }, { arbitrary: withNulls, weight: 1 }),
    namespace: fc.constantFrom('strict', 'open', 'other', 'xyz', 'cloister-system'),
  })
  .map(({ spec, metadata, nulls, namespace }) => ({
    pod: { metadata: { ...metadata, name: 'p', namespace, uid: 'u' }, spec: nulled(spec, nulls) },
    namespace,
  }));

const result = ({ pod, namespace }: Sample): { admission: Admission; stored: Pod; verdict: Verdict } => {
  const admission = admit(matcher, pod, namespace);
  const stored = admission.kind === 'mutated' ? applyPatch(pod, admission.patch) : pod;
  const verdict = decide({
    pod: stored,
    profiles: matcher,
    subnets: [{ metadata: { name: 'a' }, spec: { cidr: '10.0.0.0/24', zone: 'local-1a', type: 'private' } }],
    occupancy: new Occupancy(),
    capacity: { memoryMiB: 1e9, milliCpu: 1e9 },
    claims,
    region: 'local-1',
  });
  return { admission, stored, verdict };
};

// The reference: what the specification says, without any of the code under test.

const referenceProfile = ({ pod: { metadata, spec }, namespace }: Sample): string | undefined => {
  const labels = metadata.labels ?? {};
  if (namespace === 'cloister-system' || spec.schedulerName === 'theirs') return undefined;
  if (metadata.annotations?.['eks.amazonaws.com/compute-type'] === 'ec2') return undefined;
  const matching = [
    ...(/^(strict|x.*)$/.test(namespace) ? ['apps'] : []),
    ...(namespace === 'open' && Object.keys(labels).some((key) => /^t.er$/.test(key)) ? ['open'] : []),
    ...(/^w.b$/.test(labels['app'] ?? '') ? ['web'] : []),
  ];
  const wanted = labels['eks.amazonaws.com/fargate-profile'];
  return wanted === undefined ? matching[0] : matching.find((name) => name === wanted);
};

const CAPABILITIES = ['CHOWN', 'KILL', 'NET_RAW'];
const KINDS = ['emptyDir', 'configMap', 'secret', 'downwardAPI', 'projected', 'nfs'];

/** Whether §3 refuses anything in the spec. */
const referenceRefuses = (spec: PodSpec, open: boolean): boolean => {
  const all = [...(spec.initContainers ?? []), ...spec.containers];
  if (all.some(({ resources }) => resources?.limits?.['nvidia.com/gpu'] !== undefined)) return true;
  const goodVolume = (volume: NonNullable<PodSpec['volumes']>[number]): boolean => {
    const kind = Object.keys(volume).find((key) => key !== 'name') ?? 'emptyDir';
    if (kind === 'persistentVolumeClaim') return volume.persistentVolumeClaim?.claimName === 'bound-efs';
    return KINDS.includes(kind) || (open && kind === 'hostPath');
  };
  if (!(spec.volumes ?? []).every(goodVolume)) return true;
  if (open) return false;
  const bad = ({ securityContext: context, ports }: Container): boolean =>
    context?.privileged === true ||
    context?.allowPrivilegeEscalation === true ||
    (context?.capabilities?.add ?? []).some((name) => !CAPABILITIES.includes(name)) ||
    (ports ?? []).some(({ hostPort }) => (hostPort ?? 0) > 0);
  return spec.hostNetwork === true || spec.hostPID === true || spec.hostIPC === true || all.some(bad);
};

const CPU: Readonly<Record<string, number>> = {
  '100m': 100,
  '250m': 250,
  '251m': 251,
  '500m': 500,
  '1': 1000,
  '1500m': 1500,
  '2': 2000,
  '4': 4000,
  '7.5': 7500,
  '16': 16_000,
  '17': 17_000,
};
const MEMORY: Readonly<Record<string, number>> = {
  '64Mi': 64,
  '256Mi': 256,
  '257Mi': 257,
  '512M': 512e6 / 2 ** 20,
  '1Gi': 1024,
  '1793Mi': 1793,
  '8Gi': 8192,
  '30Gi': 30_720,
  '119.75Gi': 122_624,
  '120Gi': 122_880,
};
const STORAGE: Readonly<Record<string, number>> = {
  '1Gi': 1,
  '16Gi': 16,
  '17Gi': 17,
  '100Gi': 100,
  '176Gi': 176,
};

/** Effective request of one resource: what runs together at the worst moment (KEP-753). */
const effective = (spec: PodSpec, name: string, table: Readonly<Record<string, number>>): number => {
  const of = ({ resources }: Container): number => table[String(resources?.requests?.[name] ?? '')] ?? 0;
  const init = spec.initContainers ?? [];
  const sidecars = init.filter(({ restartPolicy }) => restartPolicy === 'Always');
  const sum = (list: readonly Container[]): number => list.reduce((total, one) => total + of(one), 0);
  const moments = init.map((one, i) => {
    const before = init.slice(0, i).filter(({ restartPolicy }) => restartPolicy === 'Always');
    return sum(before) + of(one);
  });
  return Math.max(sum([...spec.containers, ...sidecars]), ...moments);
};

const referenceSize = (spec: PodSpec): { milliCpu: number; memoryMiB: number } | undefined => {
  const cpu = effective(spec, 'cpu', CPU);
  const memory = Math.ceil(effective(spec, 'memory', MEMORY)) + 256;
  if (effective(spec, 'ephemeral-storage', STORAGE) > 175) return undefined;
  const fitting = STEPS.filter((step) => step.milliCpu >= cpu && step.memoryMiB >= memory);
  return fitting.toSorted((a, b) => a.milliCpu - b.milliCpu || a.memoryMiB - b.memoryMiB)[0];
};

const NODE: Readonly<Record<string, string>> = {
  'kubernetes.io/os': 'linux',
  'kubernetes.io/arch': 'amd64',
  'topology.kubernetes.io/zone': 'local-1a',
};
const referenceSelects = ({ nodeSelector, affinity }: PodSpec, open: boolean): boolean =>
  Object.entries(nodeSelector ?? {}).every(
    ([key, value]) => NODE[key] === value || (open && key === 'disk' && value === 'ssd'),
  ) && !JSON.stringify(affinity ?? {}).includes('windows');

const judge = (sample: Sample): void => {
  const { admission, stored, verdict } = result(sample);
  const profile = referenceProfile(sample);
  expect(admission.kind).toBe(profile === undefined ? 'untouched' : 'mutated');
  if (profile === undefined) {
    expect(stored).toEqual(sample.pod);
    return;
  }
  expect(stored.metadata.labels?.['eks.amazonaws.com/fargate-profile']).toBe(profile);
  const { spec } = sample.pod;
  const refuses = referenceRefuses(spec, profile === 'open');
  const size = referenceSize(spec);
  const reason = refuses
    ? 'POD_UNSUPPORTED_ON_FARGATE'
    : size === undefined
      ? expect.stringMatching(/^POD_/)
      : referenceSelects(spec, profile === 'open')
        ? undefined
        : 'Unschedulable';
  if (reason === undefined) expect(verdict).toMatchObject({ runs: true, profile, size });
  else expect(verdict).toMatchObject({ runs: false, reason });
};

describe('any pod', () => {
  it(
    'is decided as the slow reference decides',
    () => {
      const seen = { runs: 0, refused: 0 };
      fc.assert(
        fc.property(samples, (sample) => {
          judge(sample);
          seen[result(sample).verdict.runs ? 'runs' : 'refused'] += 1;
        }),
        { numRuns: PODS },
      );
      expect(Math.min(seen.runs, seen.refused)).toBeGreaterThan(PODS / 10);
    },
    PODS * 3,
  );
});
