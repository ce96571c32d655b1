import type { NodeSelectorTerm } from 'kubernetes-types/core/v1.js';
import { describe, expect, it } from 'vitest';
import type { Pod } from '../pod.ts';
import { selectionMismatch, zoneMismatch } from './selection.ts';

const NODE = { name: 'fargate-n', labels: { zone: 'a', cores: '4', empty: '' } };

const pod = (nodeSelector?: Record<string, string>, terms?: NodeSelectorTerm[]): Pod => ({
  metadata: {},
  spec: {
    containers: [],
    ...(nodeSelector ? { nodeSelector } : {}),
    ...(terms
      ? {
          affinity: {
            nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: terms } },
          },
        }
      : {}),
  },
});

const one = (key: string, operator: string, ...values: string[]): NodeSelectorTerm[] => [
  { matchExpressions: [{ key, operator, values }] },
];

const MESSAGE =
  "Node selector or required node affinity does not match the labels that the pod's Fargate node would have: ";

describe('selectionMismatch', () => {
  it.each<[string, Pod, string | undefined]>([
    ['nothing asked', pod(), undefined],
    ['a selector that holds', pod({ zone: 'a' }), undefined],
    ['selectors that do not', pod({ zone: 'b', disk: 'ssd', cores: '4' }), 'zone=b, disk=ssd'],
    ['a label named like a member of objects', pod({ constructor: 'x' }), 'constructor=x'],
    ['In', pod(undefined, one('zone', 'In', 'b', 'a')), undefined],
    ['not In', pod(undefined, one('zone', 'In', 'b', 'c')), 'zone In [b, c]'],
    ['NotIn', pod(undefined, one('zone', 'NotIn', 'b')), undefined],
    ['NotIn of an absent label', pod(undefined, one('x', 'NotIn', 'b')), undefined],
    ['not NotIn', pod(undefined, one('zone', 'NotIn', 'a')), 'zone NotIn [a]'],
    ['Exists', pod(undefined, one('empty', 'Exists')), undefined],
    ['not Exists', pod(undefined, one('x', 'Exists')), 'x Exists'],
    ['DoesNotExist', pod(undefined, one('x', 'DoesNotExist')), undefined],
    ['not DoesNotExist', pod(undefined, one('zone', 'DoesNotExist')), 'zone DoesNotExist'],
    ['Gt', pod(undefined, one('cores', 'Gt', '3')), undefined],
    ['not Gt', pod(undefined, one('cores', 'Gt', '4')), 'cores Gt [4]'],
    ['Lt', pod(undefined, one('cores', 'Lt', '5')), undefined],
    ['Gt of no number', pod(undefined, one('zone', 'Gt', '1')), 'zone Gt [1]'],
    ['an unknown operator', pod(undefined, one('zone', 'Like', 'a')), 'zone Like [a]'],
    ['one of several terms', pod(undefined, [...one('x', 'Exists'), ...one('zone', 'Exists')]), undefined],
    ['none of several terms', pod(undefined, [...one('x', 'Exists'), {}]), 'x Exists or an empty term'],
    ['no terms', pod(undefined, []), ''],
    [
      'all of a term',
      pod(undefined, [
        {
          matchExpressions: [
            ...(one('zone', 'Exists')[0]?.matchExpressions ?? []),
            { key: 'x', operator: 'Exists' },
          ],
        },
      ]),
      'zone Exists and x Exists',
    ],
    [
      'the name',
      pod(undefined, [{ matchFields: [{ key: 'metadata.name', operator: 'In', values: ['fargate-n'] }] }]),
      undefined,
    ],
    [
      'another name',
      pod(undefined, [{ matchFields: [{ key: 'metadata.name', operator: 'In', values: ['n'] }] }]),
      'metadata.name In [n]',
    ],
    ['both kinds', pod({ x: '1' }, one('y', 'Exists')), 'x=1, y Exists'],
  ])('%s', (_, p, expected) => {
    expect(selectionMismatch(p, NODE)).toBe(expected === undefined ? undefined : MESSAGE + expected);
  });
});

describe('zoneMismatch', () => {
  const at = { name: 's', zone: 'local-1a' };
  const ask = (p: Pod) => zoneMismatch(p, 'local-1')?.(at);
  it('asks nothing where the pod selects nothing', () =>
    expect(zoneMismatch(pod(), 'local-1')).toBeUndefined());
  it.each<[Record<string, string>, boolean]>([
    [{ 'topology.kubernetes.io/zone': 'local-1a' }, true],
    [{ 'topology.kubernetes.io/zone': 'local-1b' }, false],
    [{ 'topology.kubernetes.io/region': 'local-1' }, true],
    [{ 'eks.amazonaws.com/compute-type': 'fargate' }, true],
    [{ 'kubernetes.io/arch': 'arm64' }, false],
    [{ 'kubernetes.io/os': 'linux' }, true],
    [{ 'node.kubernetes.io/instance-type': 'm5.large' }, false],
  ])('%j', (selector, holds) => expect(ask(pod(selector)) === undefined).toBe(holds));
});
