import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { applyPatch } from '../json-patch.ts';
import type { LabelSelector } from '../labels.ts';
import type { Pod } from '../pod.ts';
import { carries, groupsOn, groupsPatch, sameGroups } from './annotation.ts';
import { type GroupPolicy, groupsFrom, isFargatePod, matchingPolicies, tooManyGroups } from './policies.ts';

const WEB = { app: 'web' };
const READER = { role: 'reader' };

const pod = (labels?: Record<string, string>, annotations?: Record<string, string>): Pod => ({
  metadata: { name: 'p', ...(labels && { labels }), ...(annotations && { annotations }) },
  spec: { containers: [{ name: 'c' }] },
});

const policy = (
  name: string,
  podSelector: LabelSelector | null | undefined,
  serviceAccountSelector: LabelSelector | null | undefined,
  ...groupIds: string[]
): GroupPolicy => ({
  metadata: { name },
  spec: {
    ...(podSelector !== undefined && { podSelector }),
    ...(serviceAccountSelector !== undefined && { serviceAccountSelector }),
    securityGroups: { groupIds },
  },
});

const given = (policies: readonly GroupPolicy[], labels = WEB, account: Record<string, string> = READER) =>
  groupsFrom(matchingPolicies(pod(labels), account, policies));

const web = { matchLabels: WEB };
const reader = { matchLabels: READER };

describe('spec §6.1', () => {
  it.each<[string, GroupPolicy[], string[]]>([
    ['a policy with neither selector is ignored', [policy('a', undefined, undefined, 'sg-1')], []],
    ['… also when both are null', [policy('a', null, null, 'sg-1')], []],
    ['a policy with no groups is ignored', [policy('a', {}, undefined)], []],
    ['… also without the member', [{ metadata: { name: 'a' }, spec: { podSelector: {} } }], []],
    ['… and without a spec', [{ metadata: { name: 'a' } }], []],
    ['with both selectors, both must match (AND)', [policy('a', web, reader, 'sg-1')], ['sg-1']],
    ['… the pod selector alone is not enough', [policy('a', web, { matchLabels: { x: 'y' } }, 'sg-1')], []],
    ['… nor is the other', [policy('a', { matchLabels: { x: 'y' } }, reader, 'sg-1')], []],
    ['null selector = not considered', [policy('a', web, null, 'sg-1')], ['sg-1']],
    ['… the pod selector, too', [policy('a', null, reader, 'sg-1')], ['sg-1']],
    ['empty selector = everything in the namespace', [policy('a', {}, undefined, 'sg-1')], ['sg-1']],
    ['… of service accounts, too', [policy('a', undefined, {}, 'sg-1')], ['sg-1']],
    [
      'groups of all matching policies are concatenated in list order and de-duplicated',
      [
        policy('b', {}, null, 'sg-3', 'sg-1'),
        policy('a', {}, null, 'sg-2', 'sg-3'),
        policy('c', { matchLabels: { app: 'api' } }, null, 'sg-9'),
      ],
      ['sg-2', 'sg-3', 'sg-1'],
    ],
  ])('%s', (_, policies, expected) => {
    expect(given(policies)).toEqual(expected);
  });

  it.each<[string, Pod, boolean]>([
    ['a pod with the label, any value', pod({ 'eks.amazonaws.com/fargate-profile': 'anything' }), true],
    ['… an empty one, too', pod({ 'eks.amazonaws.com/fargate-profile': '' }), true],
    ['not without it', pod(WEB), false],
    [
      'not hostNetwork',
      { ...pod({ 'eks.amazonaws.com/fargate-profile': 'p' }), spec: { containers: [], hostNetwork: true } },
      false,
    ],
  ])('is a Fargate pod: %s', (_, one, expected) => {
    expect(isFargatePod(one)).toBe(expected);
  });

  it('allows at most 5 groups per pod', () => {
    expect(tooManyGroups(['1', '2', '3', '4', '5'])).toBeUndefined();
    expect(tooManyGroups(['1', '2', '3', '4', '5', '6'])).toBe(
      'A pod on Fargate can have at most 5 security groups, and its SecurityGroupPolicies give it 6: 1, 2, 3, 4, 5, 6',
    );
  });
});

const KEY = 'fargate.amazonaws.com/pod-sg';

describe('the annotation', () => {
  it.each<[string, Record<string, string> | undefined, string[], Record<string, string> | undefined]>([
    ['comma-joined, no spaces', undefined, ['sg-1', 'sg-2'], { [KEY]: 'sg-1,sg-2' }],
    ['beside others', { other: 'x' }, ['sg-1'], { other: 'x', [KEY]: 'sg-1' }],
    ['in the place of what the user wrote', { [KEY]: 'sg-9' }, ['sg-1'], { [KEY]: 'sg-1' }],
    ['no policy matches but the user set it: stripped', { [KEY]: 'sg-9', other: 'x' }, [], { other: 'x' }],
    ['nothing to do', undefined, [], undefined],
  ])('%s', (_, before, groups, after) => {
    const patched = applyPatch(pod(WEB, before), groupsPatch(pod(WEB, before), groups));
    expect(patched.metadata.annotations).toEqual(after);
  });

  it('once written is as the groups make it, and needs no second patch', () => {
    const ids = fc.uniqueArray(fc.stringMatching(/^sg-[0-9a-f]{1,17}$/), { maxLength: 5 });
    const annotations = fc.option(fc.dictionary(fc.constantFrom(KEY, 'a', 'b'), fc.string()), {
      nil: undefined,
    });
    fc.assert(
      fc.property(ids, annotations, (groups, before) => {
        const start = pod(WEB, before);
        const done = applyPatch(start, groupsPatch(start, groups));
        expect(groupsOn(done)).toEqual(groups);
        expect(carries(done, groups)).toBe(true);
        expect(groupsPatch(done, groups)).toEqual([]);
        expect(sameGroups(start, done)).toBe((before?.[KEY] ?? '') === groups.join(','));
      }),
    );
  });
});
