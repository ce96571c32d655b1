import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Pod } from '../pod.ts';
import { explain } from './explain.ts';
import { Matcher, matchPod, type Profile, profileMatches, type Selector } from './match.ts';
import { compile } from './wildcard.ts';

const profile = (name: string, ...selectors: Selector[]): Profile => ({
  metadata: { name },
  spec: { selectors },
});

const pod = (
  labels: Record<string, string> = {},
  more: {
    annotations?: Record<string, string>;
    spec?: Partial<Pod['spec']>;
    owner?: string;
    namespace?: string;
  } = {},
): Pod => ({
  metadata: {
    namespace: more.namespace ?? 'default',
    labels,
    annotations: more.annotations ?? {},
    ...(more.owner
      ? { ownerReferences: [{ apiVersion: 'apps/v1', kind: more.owner, name: 'o', uid: 'u' }] }
      : {}),
  },
  spec: { containers: [], ...more.spec },
});

const outcome = (profiles: Profile[], p: Pod): string => {
  const match = matchPod(new Matcher(profiles), p);
  if (match.kind === 'matched') return match.profile.metadata.name;
  return match.kind === 'left-alone' ? match.because : match.kind;
};

/** A pattern as a regular expression: slow, and surely right. */
const slow = (pattern: string): RegExp =>
  new RegExp(
    `^${[...pattern].map((c) => (c === '*' ? '.*' : c === '?' ? '.' : c.replace(/[\\^$.|+()[\]{}-]/, '\\$&'))).join('')}$`,
    's',
  );

describe('wildcards', () => {
  it.each([
    ['prod*', 'prod', true],
    ['prod*', 'prod-metrics', true],
    ['prod*', 'a-prod', false],
    ['*prod*', 'a-prod-b', true],
    ['value?', 'valuea', true],
    ['value?', 'value', false],
    ['value?', 'value-a', false],
    ['*', '', true],
    ['*', 'anything', true],
    ['?', '', false],
    ['**', 'x', true],
    ['*?', '', false],
    ['a*b*c', 'aXbYbZc', true],
    ['a*b*c', 'aXbYbZ', false],
    ['', '', true],
    ['', 'a', false],
    ['a.c', 'abc', false],
    ['*a', 'aaaaaaaaaaaaaaaaaaaaaaaab', false],
  ])('%j and %j: %s', (pattern, text, expected) => {
    expect(compile(pattern)(text)).toBe(expected);
  });

  it('agree with regular expressions', () => {
    const characters = fc.stringMatching(/^[ab?*.-]{0,8}$/);
    fc.assert(
      fc.property(characters, fc.stringMatching(/^[ab.-]{0,10}$/), (pattern, text) => {
        expect(compile(pattern)(text)).toBe(slow(pattern).test(text));
      }),
      { numRuns: 2000 },
    );
  });

  it('cannot be made slow: a character is read at most once for each of the pattern', () => {
    const pattern = `${'*a'.repeat(60)}b`;
    const text = 'a'.repeat(255);
    let read = 0;
    const get = (target: object, key: PropertyKey): unknown => {
      if (key !== 'length') read += 1;
      return Reflect.get(target, key);
    };
    expect(compile(pattern)(new Proxy(Object(text), { get }))).toBe(false);
    expect(read).toBeGreaterThanOrEqual(text.length);
    expect(read).toBeLessThanOrEqual(pattern.length * text.length);
  });
});

describe('matchPod', () => {
  const all = profile('all', { namespace: '*' });

  it.each<[string, Profile[], Pod, string]>([
    ['a namespace', [profile('p', { namespace: 'default' })], pod(), 'p'],
    ['another namespace', [profile('p', { namespace: 'prod' })], pod(), 'no-profile'],
    ['no profiles', [], pod(), 'no-profile'],
    ['a wildcard namespace', [profile('p', { namespace: 'def*' })], pod(), 'p'],
    [
      'all labels',
      [profile('p', { namespace: '*', labels: { a: '1', b: '2' } })],
      pod({ a: '1', b: '2', c: '3' }),
      'p',
    ],
    [
      'one label missing',
      [profile('p', { namespace: '*', labels: { a: '1', b: '2' } })],
      pod({ a: '1' }),
      'no-profile',
    ],
    ['an empty label set', [profile('p', { namespace: '*', labels: {} })], pod(), 'p'],
    ['any selector', [profile('p', { namespace: 'x' }, { namespace: 'default' })], pod(), 'p'],
    [
      'wildcards in key and value',
      [profile('p', { namespace: '*', labels: { 'key?': 'value?' } })],
      pod({ keyb: 'valuea' }),
      'p',
    ],
    [
      'key and value of one label',
      [profile('p', { namespace: '*', labels: { 'key?': 'value?' } })],
      pod({ keyb: 'no', other: 'valuea' }),
      'no-profile',
    ],
    [
      'the first name',
      [profile('b', { namespace: '*' }), profile('a', { namespace: 'default' })],
      pod(),
      'a',
    ],
    [
      'names by characters',
      [profile('p2', { namespace: '*' }), profile('p10', { namespace: '*' })],
      pod(),
      'p10',
    ],
    [
      'labels named like members of objects',
      [profile('p', { namespace: '*', labels: { constructor: 'a*' } })],
      pod(),
      'no-profile',
    ],
    [
      'an explicit label',
      [all, profile('z', { namespace: 'default' })],
      pod({ 'eks.amazonaws.com/fargate-profile': 'z' }),
      'z',
    ],
    [
      'an explicit label that does not match',
      [all, profile('z', { namespace: 'x' })],
      pod({ 'eks.amazonaws.com/fargate-profile': 'z' }),
      'label-mismatch',
    ],
    [
      'an explicit label of nothing',
      [all],
      pod({ 'eks.amazonaws.com/fargate-profile': 'gone' }),
      'label-mismatch',
    ],
    ['opting out', [all], pod({}, { annotations: { 'eks.amazonaws.com/compute-type': 'ec2' } }), 'opted-out'],
    [
      'compute-type fargate',
      [all],
      pod({}, { annotations: { 'eks.amazonaws.com/compute-type': 'fargate' } }),
      'all',
    ],
    ['a DaemonSet', [all], pod({}, { owner: 'DaemonSet' }), 'daemon-set'],
    ['a ReplicaSet', [all], pod({}, { owner: 'ReplicaSet' }), 'all'],
    [
      'the default scheduler by name',
      [all],
      pod({}, { spec: { schedulerName: 'default-scheduler' } }),
      'all',
    ],
    ['our scheduler', [all], pod({}, { spec: { schedulerName: 'fargate-scheduler' } }), 'all'],
    ['a foreign scheduler', [all], pod({}, { spec: { schedulerName: 'volcano' } }), 'foreign-scheduler'],
    ['a named node', [all], pod({}, { spec: { nodeName: 'n' } }), 'node-named'],
    ['a node selector', [all], pod({}, { spec: { nodeSelector: { a: 'b' } } }), 'all'],
    [
      'tolerations, affinity and spread constraints',
      [all],
      pod(
        {},
        {
          spec: {
            tolerations: [{ operator: 'Exists' }],
            affinity: {
              nodeAffinity: {
                requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [] },
              },
              podAntiAffinity: {
                requiredDuringSchedulingIgnoredDuringExecution: [{ topologyKey: 'kubernetes.io/hostname' }],
              },
            },
            topologySpreadConstraints: [
              { maxSkew: 1, topologyKey: 'zone', whenUnsatisfiable: 'DoNotSchedule' },
            ],
          },
        },
      ),
      'all',
    ],
    ['our own namespace', [all], pod({}, { namespace: 'cloister-system' }), 'system-namespace'],
    [
      'our own namespace with a label',
      [all],
      pod({ 'eks.amazonaws.com/fargate-profile': 'all' }, { namespace: 'cloister-system' }),
      'system-namespace',
    ],
  ])('%s', (_, profiles, p, expected) => {
    expect(outcome(profiles, p)).toBe(expected);
  });

  it('takes the namespace of the request where the pod has none', () => {
    const matcher = new Matcher([profile('p', { namespace: 'prod' })]);
    expect(matchPod(matcher, { metadata: {}, spec: { containers: [] } }, 'prod').kind).toBe('matched');
  });

  it('agrees with trying everything, also when asked again', () => {
    const word = fc.constantFrom('a', 'b', 'ab', 'a*', '*', '?', 'b?', 'aa');
    const plain = fc.constantFrom('a', 'b', 'ab', 'aa', 'ba');
    const selector = fc.record({
      namespace: word,
      labels: fc.option(fc.dictionary(word, word, { maxKeys: 3 }), { nil: undefined }),
    });
    const profiles = fc.uniqueArray(
      fc.record({ name: fc.stringMatching(/^[a-d]{1,3}$/), selectors: fc.array(selector, { maxLength: 3 }) }),
      { selector: (p) => p.name, maxLength: 8 },
    );
    const labels = fc.dictionary(plain, plain, { maxKeys: 3 });
    fc.assert(
      fc.property(profiles, fc.array(fc.tuple(plain, labels), { maxLength: 4 }), (list, pods) => {
        const made = list.map(({ name, selectors }) =>
          profile(
            name,
            ...selectors.map(({ namespace, labels }) => (labels ? { namespace, labels } : { namespace })),
          ),
        );
        const matcher = new Matcher(made);
        for (const [namespace, own] of [...pods, ...pods]) {
          const expected = made
            .filter((p) =>
              p.spec.selectors.some(
                (s) =>
                  slow(s.namespace).test(namespace) &&
                  Object.entries(s.labels ?? {}).every(([k, v]) =>
                    Object.entries(own).some(([key, value]) => slow(k).test(key) && slow(v).test(value)),
                  ),
              ),
            )
            .map((p) => p.metadata.name)
            .sort()[0];
          const match = matchPod(matcher, pod(own, { namespace }));
          expect(match.kind === 'matched' ? match.profile.metadata.name : undefined).toBe(expected);
          for (const p of made)
            if (p.metadata.name === expected) expect(profileMatches(p, own, namespace)).toBe(true);
        }
      }),
      { numRuns: 500 },
    );
  });

  it('forgets before it remembers too much', () => {
    const matcher = new Matcher([profile('p', { namespace: '*', labels: { id: '1*' } })]);
    for (let i = 0; i < 150_000; i += 1) {
      const expected = String(i).startsWith('1') ? 0 : Infinity;
      if (matcher.first('n', { id: String(i) }) !== expected) throw new Error(`wrong for ${i}`);
    }
  });
});

describe('explain', () => {
  const profiles = [
    profile('b', { namespace: 'default' }),
    profile('a', { namespace: '*', labels: { app: 'web' } }),
    profile('c', { namespace: 'prod' }, { namespace: 'def*', labels: { app: 'api', tier: 'x' } }),
  ];

  it('says why each profile is chosen or not', () => {
    expect(explain(profiles, pod({ app: 'web' }))).toEqual([
      { profile: 'a', matches: true, chosen: true, reasons: [] },
      { profile: 'b', matches: true, chosen: false, reasons: ['profile a comes first'] },
      {
        profile: 'c',
        matches: false,
        chosen: false,
        reasons: ['namespace default does not match prod', 'the pod has no label app=api, tier=x'],
      },
    ]);
  });

  it("says when the pod's label picks, or picks in vain", () => {
    const picked = explain(profiles, pod({ app: 'web', 'eks.amazonaws.com/fargate-profile': 'b' }));
    expect(picked[0]?.reasons).toEqual(["the pod's label picks profile b"]);
    const vain = explain(profiles, pod({ app: 'web', 'eks.amazonaws.com/fargate-profile': 'zz' }));
    expect(vain[0]?.reasons).toEqual([
      'label eks.amazonaws.com/fargate-profile names profile zz, which does not exist',
    ]);
    const wrong = explain(profiles, pod({ app: 'web', 'eks.amazonaws.com/fargate-profile': 'c' }));
    expect(wrong[0]?.reasons).toEqual([
      'label eks.amazonaws.com/fargate-profile names profile c, none of whose selectors matches the pod',
    ]);
  });

  it('says why a pod is left alone', () => {
    const reasons = (p: Pod) => explain(profiles, p)[1]?.reasons;
    expect(reasons(pod({}, { owner: 'DaemonSet' }))).toEqual(['DaemonSet pods are not placed on Fargate']);
    expect(reasons(pod({}, { spec: { nodeName: 'n1' } }))).toEqual(['nodeName n1 is set already']);
    expect(reasons(pod({}, { spec: { schedulerName: 's' } }))).toEqual([
      'schedulerName s is not default-scheduler',
    ]);
    expect(reasons(pod({}, { annotations: { 'eks.amazonaws.com/compute-type': 'ec2' } }))).toEqual([
      'annotation eks.amazonaws.com/compute-type: ec2 keeps the pod off Fargate',
    ]);
    const system = explain([profile('x', { namespace: '*' })], pod({}, { namespace: 'cloister-system' }));
    expect(system[0]).toEqual({
      profile: 'x',
      matches: false,
      chosen: false,
      reasons: ['pods of namespace cloister-system never run on Fargate'],
    });
  });
});
