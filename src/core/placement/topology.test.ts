import fc from 'fast-check';
import type { PodAffinityTerm, TopologySpreadConstraint } from 'kubernetes-types/core/v1.js';
import { describe, expect, it } from 'vitest';
import type { Pod, PodSpec } from '../pod.ts';
import { type Neighbour, topologyRules } from './topology.ts';

const ZONE = 'topology.kubernetes.io/zone';
const HOST = 'kubernetes.io/hostname';
const WEB = { app: 'web' };

/** Nodes that the pod could get: one per zone, with a host name that no other node has. */
const future = (...zones: string[]) =>
  zones.map((zone) => ({ [ZONE]: zone, [HOST]: 'ip-0-0-0-0', own: 'x' }));
const AB = future('a', 'b');

const pod = (spec: Partial<PodSpec> = {}, labels: Record<string, string> = WEB, namespace = 'n'): Pod => ({
  metadata: { name: 'p', namespace, labels },
  spec: { containers: [], ...spec },
});
/** A pod on a node in that zone. */
const on = (zone: string, one: Pod = pod()): Neighbour => ({
  pod: one,
  node: { name: `fargate-${zone}`, labels: { [ZONE]: zone, [HOST]: `ip-${zone}` } },
});

const term = (more: Partial<PodAffinityTerm> = {}): PodAffinityTerm => ({
  topologyKey: ZONE,
  labelSelector: { matchLabels: WEB },
  ...more,
});
const together = (...terms: PodAffinityTerm[]): Partial<PodSpec> => ({
  affinity: { podAffinity: { requiredDuringSchedulingIgnoredDuringExecution: terms } },
});
const apart = (...terms: PodAffinityTerm[]): Partial<PodSpec> => ({
  affinity: { podAntiAffinity: { requiredDuringSchedulingIgnoredDuringExecution: terms } },
});
const constraint = (more: Partial<TopologySpreadConstraint> = {}): TopologySpreadConstraint => ({
  maxSkew: 1,
  topologyKey: ZONE,
  whenUnsatisfiable: 'DoNotSchedule',
  labelSelector: { matchLabels: WEB },
  ...more,
});
const spread = (more: Partial<TopologySpreadConstraint> = {}): Partial<PodSpec> => ({
  topologySpreadConstraints: [constraint(more)],
});

const rules = (one: Pod, pods: readonly Neighbour[], nodes = AB) =>
  topologyRules(one, { pods, namespaceLabels: (name) => ({ team: name }) }, nodes);
/** The zones that the pod may be in. */
const zones = (one: Pod, pods: readonly Neighbour[], nodes = AB): string =>
  nodes
    .filter((node) => rules(one, pods, nodes).refuses(node) === undefined)
    .map((node) => node[ZONE])
    .join('');

const LEAVING = { ...pod(), metadata: { ...pod().metadata, deletionTimestamp: '2026-01-01T00:00:00Z' } };

describe('the zones that a pod may be in', () => {
  it.each<[string, Pod, readonly Neighbour[], string]>([
    ['any, without rules', pod(), [on('a')], 'ab'],
    ['where its partner is', pod(together(term()), {}), [on('b')], 'b'],
    ['none without a partner', pod(together(term()), {}), [], ''],
    ['any, for the first of its kind', pod(together(term())), [], 'ab'],
    ['where the first of its kind is', pod(together(term())), [on('a')], 'a'],
    ['none on a host of its own with others', pod(together(term({ topologyKey: HOST }))), [on('a')], ''],
    ['any on a host of its own, as the first', pod(together(term({ topologyKey: HOST }))), [], 'ab'],
    ['none where nodes lack the label', pod(together(term({ topologyKey: 'rack' }))), [], ''],
    [
      'where one partner of all terms is',
      pod(together(term(), term({ labelSelector: { matchLabels: { tier: 'x' } } })), {}),
      [on('a'), on('b', pod({}, { app: 'web', tier: 'x' }))],
      'b',
    ],
    ['not where another of its kind is', pod(apart(term())), [on('a')], 'b'],
    ['any, when hosts are kept apart', pod(apart(term({ topologyKey: HOST }))), [on('a'), on('b')], 'ab'],
    ['not where somebody keeps it away', pod(), [on('a', pod(apart(term()), {}))], 'b'],
    ['any, for a selector of nothing', pod(apart({ topologyKey: ZONE })), [on('a')], 'ab'],
    ['not where a selector of everything finds one', pod(apart(term({ labelSelector: {} }))), [on('a')], 'b'],
    ['any, with pods of other namespaces', pod(apart(term())), [on('a', pod({}, WEB, 'm'))], 'ab'],
    ['… unless they are named', pod(apart(term({ namespaces: ['m'] }))), [on('a', pod({}, WEB, 'm'))], 'b'],
    ['… and then not its own', pod(apart(term({ namespaces: ['m'] }))), [on('a')], 'ab'],
    [
      '… or selected',
      pod(apart(term({ namespaceSelector: { matchLabels: { team: 'm' } } }))),
      [on('a', pod({}, WEB, 'm')), on('b', pod({}, WEB, 'k'))],
      'b',
    ],
    [
      '… or all',
      pod(apart(term({ namespaceSelector: {} }))),
      [on('a', pod({}, WEB, 'm')), on('b', pod({}, WEB, 'k'))],
      '',
    ],
    [
      'away from pods of its own version only',
      pod(apart(term({ matchLabelKeys: ['v'] })), { ...WEB, v: '2' }),
      [on('a', pod({}, { ...WEB, v: '1' })), on('b', pod({}, { ...WEB, v: '2' }))],
      'a',
    ],
    [
      'away from pods of other versions only',
      pod(apart(term({ mismatchLabelKeys: ['v'] })), { ...WEB, v: '2' }),
      [on('a', pod({}, { ...WEB, v: '1' })), on('b', pod({}, { ...WEB, v: '2' }))],
      'b',
    ],
    ['the emptier one', pod(spread()), [on('a')], 'b'],
    ['any when even', pod(spread()), [on('a'), on('b')], 'ab'],
    ['any within the skew', pod(spread({ maxSkew: 2 })), [on('a')], 'ab'],
    ['the emptier one, beyond it', pod(spread({ maxSkew: 2 })), [on('a'), on('a')], 'b'],
    ['any, when it does not count itself', pod(spread(), {}), [on('a')], 'ab'],
    [
      'any, when that only would be better',
      pod(spread({ whenUnsatisfiable: 'ScheduleAnyway' })),
      [on('a')],
      'ab',
    ],
    ['any, over hosts', pod(spread({ topologyKey: HOST })), [on('a'), on('a')], 'ab'],
    ['any, over a label that all nodes share', pod(spread({ topologyKey: 'own' })), [on('a')], 'ab'],
    ['none where nodes lack the label of a constraint', pod(spread({ topologyKey: 'rack' })), [], ''],
    ['any, past pods that leave', pod(spread()), [on('a', LEAVING)], 'ab'],
    ['… or are in another namespace', pod(spread()), [on('a', pod({}, WEB, 'm'))], 'ab'],
    ['any: zones without a subnet are no domains', pod(spread()), [on('a'), on('b'), on('c')], 'ab'],
    ['none with fewer domains than asked for', pod(spread({ minDomains: 3 })), [on('a'), on('b')], ''],
    [
      'past pods on nodes that it could not have',
      pod({ ...spread(), nodeSelector: { [ZONE]: 'b' } }),
      [on('a'), on('a')],
      'ab',
    ],
    [
      'not past them where it says so',
      pod({ ...spread({ nodeAffinityPolicy: 'Ignore' }), nodeSelector: { [ZONE]: 'b' } }),
      [on('a')],
      'b',
    ],
    [
      'by its own version only',
      pod(spread({ matchLabelKeys: ['v'] }), { ...WEB, v: '2' }),
      [on('a', pod({}, { ...WEB, v: '1' }))],
      'ab',
    ],
    [
      'what all rules together leave',
      pod({ ...apart(term({ labelSelector: {} })), ...spread() }),
      [on('b')],
      'a',
    ],
  ])('%s', (_, one, pods, expected) => {
    expect(zones(one, pods)).toBe(expected);
  });

  it('are refused in words', () => {
    const why = (one: Pod, pods: readonly Neighbour[]) => rules(one, pods).refuses(future('a')[0] ?? {});
    expect(why(pod(together(term()), {}), [])).toBe(`does not meet the pod's required affinity over ${ZONE}`);
    expect(why(pod(apart(term())), [on('a')])).toBe(
      `is excluded by the required anti-affinity of the pod over ${ZONE}`,
    );
    expect(why(pod(), [on('a', pod(apart(term())))])).toBe(
      `is excluded by the required anti-affinity of pod n/p over ${ZONE}`,
    );
    expect(why(pod(spread()), [on('a')])).toBe(`would break the pod's maxSkew of 1 over ${ZONE}`);
  });
});

describe('the zone that a pod prefers', () => {
  const prefers = (one: Pod, pods: readonly Neighbour[]): string =>
    AB.toSorted(rules(one, pods).compare)[0]?.[ZONE] ?? '';
  const likes = (weight: number, sign: 'podAffinity' | 'podAntiAffinity') => ({
    [sign]: {
      preferredDuringSchedulingIgnoredDuringExecution: [{ weight, podAffinityTerm: term() }],
    },
  });
  it.each<[string, Pod, readonly Neighbour[], string]>([
    ['none', pod(), [on('a')], 'a'],
    ['that of pods it likes', pod({ affinity: likes(1, 'podAffinity') }), [on('b')], 'b'],
    ['that of most of them', pod({ affinity: likes(1, 'podAffinity') }), [on('a'), on('b'), on('b')], 'b'],
    ['that without pods it dislikes', pod({ affinity: likes(1, 'podAntiAffinity') }), [on('a')], 'b'],
    ['the emptier one', pod(spread({ whenUnsatisfiable: 'ScheduleAnyway' })), [on('a')], 'b'],
    [
      'company before room',
      pod({ affinity: likes(1, 'podAffinity'), ...spread({ whenUnsatisfiable: 'ScheduleAnyway' }) }),
      [on('b')],
      'b',
    ],
  ])('%s', (_, one, pods, expected) => {
    expect(prefers(one, pods)).toBe(expected);
  });
});

describe('pods placed one after another', () => {
  const zone = fc.constantFrom('a', 'b', 'c');

  it('never differ by more than the skew, whatever was there before was even', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 3 }), fc.array(zone, { maxLength: 30 }), (maxSkew, wishes) => {
        const nodes = future('a', 'b', 'c');
        const placed: Neighbour[] = [];
        for (const wish of wishes) {
          const open = zones(pod(spread({ maxSkew })), placed, nodes);
          expect(open).not.toBe('');
          placed.push(on(open.includes(wish) ? wish : (open[0] as string)));
          const counts = ['a', 'b', 'c'].map(
            (name) => placed.filter(({ node }) => node.labels[ZONE] === name).length,
          );
          expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(maxSkew);
        }
      }),
    );
  });

  it('are in different zones when they keep each other away, until no zone is left', () => {
    const placed: Neighbour[] = [];
    for (let open = zones(pod(apart(term())), placed); open !== ''; open = zones(pod(apart(term())), placed))
      placed.push(on(open[0] as string, pod(apart(term()))));
    expect(placed.map(({ node }) => node.labels[ZONE])).toEqual(['a', 'b']);
  });
});
