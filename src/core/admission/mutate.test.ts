import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { PatchOperation } from '../json-patch.ts';
import type { Pod } from '../pod.ts';
import { Matcher } from '../profile/match.ts';
import { type AdmissionProfile, admit } from './mutate.ts';

const profile = (name: string, policy?: AdmissionProfile['spec']['policy']): AdmissionProfile => ({
  metadata: { name },
  spec: { selectors: [{ namespace: name }], ...(policy ? { policy } : {}) },
});

const matcher = new Matcher<AdmissionProfile>([
  profile('strict'),
  profile('open', { privileged: true }),
  profile('firm', { reject: true }),
]);

const LABEL = '/metadata/labels/eks.amazonaws.com~1fargate-profile';

const pod = (spec: Partial<Pod['spec']> = {}, metadata: Pod['metadata'] = {}): Pod => ({
  metadata,
  spec: { containers: [{ name: 'c' }], ...spec },
});

const privileged = { containers: [{ name: 'c', securityContext: { privileged: true } }] };
const huge = { containers: [{ name: 'c', resources: { requests: { cpu: '17' } } }] };

/** Applies operations that replace or add one member, as RFC 6902 says. */
const apply = (target: Pod, patch: readonly PatchOperation[]): Pod => {
  const result = structuredClone(target);
  for (const { path, value } of patch) {
    const segments = path.slice(1).split('/');
    const keys = segments.map((segment) => segment.replaceAll('~1', '/').replaceAll('~0', '~'));
    const last = keys.pop() ?? '';
    let parent = result as unknown as Record<string, unknown>;
    for (const key of keys) parent = parent[key] as Record<string, unknown>;
    parent[last] = value;
  }
  return result;
};

const UNSUPPORTED = 'Pod not supported on Fargate: invalid SecurityContext fields: Privileged';
const TOO_LARGE = "Your pod's cpu/memory requirements exceed the max Fargate configuration";

describe('admit', () => {
  it('changes exactly the fields of spec §2.2', () => {
    expect(admit(matcher, pod(), 'strict')).toEqual({
      kind: 'mutated',
      profile: 'strict',
      patch: [
        { op: 'add', path: '/metadata/labels', value: { 'eks.amazonaws.com/fargate-profile': 'strict' } },
        { op: 'add', path: '/spec/schedulerName', value: 'fargate-scheduler' },
        { op: 'add', path: '/spec/priorityClassName', value: 'system-node-critical' },
        { op: 'add', path: '/spec/priority', value: 2000001000 },
        { op: 'add', path: '/spec/preemptionPolicy', value: 'PreemptLowerPriority' },
      ],
      warnings: [],
    });
  });

  it('overwrites a class with another preemption policy, and keeps labels', () => {
    const given = pod(
      {
        schedulerName: 'default-scheduler',
        priorityClassName: 'low',
        priority: 5,
        preemptionPolicy: 'Never',
      },
      { labels: { app: 'web' } },
    );
    const admission = admit(matcher, given, 'strict');
    if (admission.kind !== 'mutated') throw new Error(admission.kind);
    expect(admission.patch[0]).toEqual({ op: 'add', path: LABEL, value: 'strict' });
    expect(apply(given, admission.patch)).toEqual({
      metadata: { labels: { app: 'web', 'eks.amazonaws.com/fargate-profile': 'strict' } },
      spec: {
        containers: [{ name: 'c' }],
        schedulerName: 'fargate-scheduler',
        priorityClassName: 'system-node-critical',
        priority: 2000001000,
        preemptionPolicy: 'PreemptLowerPriority',
      },
    });
  });

  it('keeps the user’s priority in a profile that allows more', () => {
    const admission = admit(matcher, pod({ priorityClassName: 'low', priority: 5 }), 'open');
    expect(admission).toMatchObject({
      kind: 'mutated',
      patch: [{ path: '/metadata/labels' }, { path: '/spec/schedulerName' }],
    });
  });

  it.each<[string, Pod, string, readonly string[]]>([
    ['a refused field', pod(privileged), 'strict', [UNSUPPORTED]],
    ['too much CPU', pod(huge), 'strict', [TOO_LARGE]],
    [
      'both',
      pod({ containers: [...privileged.containers, ...huge.containers] }),
      'strict',
      [UNSUPPORTED, TOO_LARGE],
    ],
    ['an allowed field', pod(privileged), 'open', []],
  ])('warns of %s and stores the pod', (_, p, namespace, warnings) => {
    expect(admit(matcher, p, namespace)).toMatchObject({ kind: 'mutated', warnings });
  });

  it('refuses instead where the profile says so', () => {
    expect(admit(matcher, pod(privileged), 'firm')).toEqual({
      kind: 'refused',
      profile: 'firm',
      message: UNSUPPORTED,
    });
    expect(admit(matcher, pod(), 'firm').kind).toBe('mutated');
  });

  it('leaves other pods alone, and says when a label picks in vain', () => {
    expect(admit(matcher, pod(), 'elsewhere')).toEqual({ kind: 'untouched', warnings: [] });
    const named = pod({}, { labels: { 'eks.amazonaws.com/fargate-profile': 'nothing' } });
    expect(admit(matcher, named, 'strict')).toEqual({
      kind: 'untouched',
      warnings: ['label eks.amazonaws.com/fargate-profile names profile nothing, which does not exist'],
    });
  });

  it('has nothing to change in a pod that it has changed', () => {
    const meta = fc.record({
      labels: fc.option(fc.dictionary(fc.string(), fc.string()), { nil: undefined }),
    });
    const spec = fc.record(
      {
        schedulerName: fc.constantFrom('default-scheduler', 'fargate-scheduler'),
        priorityClassName: fc.string(),
        priority: fc.integer(),
        preemptionPolicy: fc.constantFrom('Never', 'PreemptLowerPriority'),
      },
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(meta, spec, ({ labels }, more) => {
        const given = pod(more, labels ? { labels } : {});
        const first = admit(matcher, given, 'strict');
        if (first.kind !== 'mutated') throw new Error(first.kind);
        expect(admit(matcher, apply(given, first.patch), 'strict')).toMatchObject({ patch: [] });
      }),
    );
  });
});
