/** The pure decisions on one core: matching one pod, and deciding about many. */
import { Occupancy } from '../../src/core/placement/occupancy.ts';
import type { Pod } from '../../src/core/pod.ts';
import { Matcher, matchPod, type Selector } from '../../src/core/profile/match.ts';
import { decide, type SchedulingProfile, type Situation } from '../../src/core/scheduling/decide.ts';
import { median } from '../../src/core/statistics.ts';

const PROFILES = 1_000;
const SELECTORS = 5;
const MACHINES = 1_000;

/** Which part of a selector's labels has wildcards. */
export type Wildcards = 'none' | 'values' | 'keys';

const selectorOf = (profile: number, i: number, wildcards: Wildcards): Selector => {
  const id = profile * SELECTORS + i;
  const key = wildcards === 'keys' ? `te?m-${id}*` : `team-${id % 50}`;
  const value = wildcards === 'none' ? `t${id}` : `t${id}*`;
  return { namespace: i === 0 ? `ns-${profile}` : 'shared*', labels: { [key]: value, tier: 'web' } };
};

/** A thousand profiles of five selectors each. */
export const manyProfiles = (wildcards: Wildcards): readonly SchedulingProfile[] =>
  Array.from({ length: PROFILES }, (_, profile) => ({
    metadata: { name: `profile-${String(profile).padStart(4, '0')}` },
    spec: { selectors: Array.from({ length: SELECTORS }, (__, i) => selectorOf(profile, i, wildcards)) },
  }));

/** A selector of those that match in namespace shared-1: the first of each profile names another one. */
const TEAM = (n: number): number => {
  const id = (n * 7) % (PROFILES * SELECTORS);
  return id % SELECTORS === 0 ? id + 1 : id;
};

/** No two pods are alike: each has a label value that was never seen before, as template hashes are. */
export const podNumber = (n: number): Pod => ({
  metadata: {
    namespace: 'shared-1',
    name: `p${n}`,
    uid: `00000000-0000-4000-8000-${String(n).padStart(12, '0')}`,
    labels: { [`team-${TEAM(n) % 50}`]: `t${TEAM(n)}`, tier: 'web', 'pod-template-hash': `h${n}` },
  },
  spec: {
    schedulerName: 'fargate-scheduler',
    containers: [
      {
        name: 'web',
        image: 'i',
        ports: [{ containerPort: 80 }],
        resources: { requests: { cpu: '300m', memory: '1Gi' } },
      },
      { name: 'log', image: 'i', securityContext: { runAsUser: 1 } },
    ],
    volumes: [
      { name: 'v', emptyDir: {} },
      { name: 'kube-api-access', projected: { sources: [] } },
    ],
  },
});

/** Median time to match one pod, in microseconds. */
export const matchingMicros = (wildcards: Wildcards, pods = 20_000): number => {
  const matcher = new Matcher(manyProfiles(wildcards));
  const taken: number[] = [];
  for (let n = 0; n < pods; n += 1) {
    const pod = podNumber(n);
    const start = performance.now();
    matchPod(matcher, pod);
    taken.push(performance.now() - start);
  }
  return median(taken) * 1000;
};

/** Decisions per second beside a thousand machines: match, validate, size, place. */
export const decisionsPerSecond = (pods = 100_000): number => {
  const profiles = new Matcher(manyProfiles('none'));
  const occupancy = new Occupancy();
  const placed = (n: number) => ({
    size: { milliCpu: 250, memoryMiB: 512, storageGiB: 20 },
    placement: {
      subnet: n % 2 ? 'a' : 'b',
      zone: 'z',
      region: 'r',
      address: `10.${n % 2}.${n >> 8}.${n & 255}`,
    },
    dead: false,
  });
  for (let n = 0; n < MACHINES; n += 1) occupancy.set(`vm-${n}`, placed(n));
  const situation: Omit<Situation, 'pod'> = {
    profiles,
    subnets: [
      { metadata: { name: 'a' }, spec: { cidr: '10.1.0.0/16', zone: 'za', type: 'private' } },
      { metadata: { name: 'b' }, spec: { cidr: '10.0.0.0/16', zone: 'zb', type: 'private' } },
    ],
    occupancy,
    capacity: { memoryMiB: 1e9, milliCpu: 1e9 },
    claims: { claim: () => undefined, volume: () => undefined },
    region: 'local-1',
  };
  const list = Array.from({ length: pods }, (_, n) => podNumber(n));
  const start = performance.now();
  for (const [n, pod] of list.entries()) {
    const match = matchPod(profiles, pod);
    if (match.kind !== 'matched') throw new Error(`pod ${n} of the benchmark matches no profile`);
    const labels = {
      ...pod.metadata.labels,
      'eks.amazonaws.com/fargate-profile': match.profile.metadata.name,
    };
    const verdict = decide({ ...situation, pod: { ...pod, metadata: { ...pod.metadata, labels } } });
    if (!verdict.runs) throw new Error(`pod ${n} of the benchmark does not run: ${verdict.message}`);
    // One machine goes for each that comes, so that there are always a thousand.
    occupancy.set(`vm-${n % MACHINES}`, { size: verdict.size, placement: verdict.placement, dead: false });
  }
  return Math.round(pods / ((performance.now() - start) / 1000));
};
