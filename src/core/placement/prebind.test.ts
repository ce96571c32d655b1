import type { PersistentVolume, PersistentVolumeClaim } from 'kubernetes-types/core/v1.js';
import { describe, expect, it } from 'vitest';
import { selectedNode, volumeFor, waitsForConsumer } from './prebind.ts';

const claim = (spec: PersistentVolumeClaim['spec'] = {}): PersistentVolumeClaim => ({
  metadata: { namespace: 'apps', name: 'data', uid: 'c1' },
  spec: {
    storageClassName: 'efs',
    accessModes: ['ReadWriteMany'],
    resources: { requests: { storage: '5Gi' } },
    ...spec,
  },
});
const volume = (
  name: string,
  spec: PersistentVolume['spec'] = {},
  phase = 'Available',
): PersistentVolume => ({
  metadata: { name, labels: { tier: name } },
  spec: {
    storageClassName: 'efs',
    accessModes: ['ReadWriteMany', 'ReadWriteOnce'],
    capacity: { storage: '5Gi' },
    csi: { driver: 'efs.csi.aws.com', volumeHandle: 'fs' },
    ...spec,
  },
  status: { phase },
});

describe('a volume for a claim that waits for its first consumer', () => {
  it('is the smallest that suits, by name where equal', () => {
    const list = [volume('big', { capacity: { storage: '1Ti' } }), volume('b'), volume('a')];
    expect(volumeFor(claim(), list, {})?.metadata?.name).toBe('a');
  });

  it.each<[string, PersistentVolume, PersistentVolumeClaim]>([
    ['too small', volume('v', { capacity: { storage: '4Gi' } }), claim()],
    ['of another class', volume('v', { storageClassName: 'other' }), claim()],
    ['of another driver', volume('v', { csi: { driver: 'ebs.csi.aws.com', volumeHandle: 'v' } }), claim()],
    ['of no driver', volume('v', { csi: undefined as never }), claim()],
    ['bound', volume('v', {}, 'Bound'), claim()],
    ['promised', volume('v', { claimRef: { name: 'x' } }), claim()],
    ['of another mode of access', volume('v', { accessModes: ['ReadWriteOnce'] }), claim()],
    ['a block device', volume('v', { volumeMode: 'Block' }), claim()],
    ['not selected by label', volume('v'), claim({ selector: { matchLabels: { tier: 'w' } } })],
    [
      'not selected by expression',
      volume('v'),
      claim({ selector: { matchExpressions: [{ key: 'tier', operator: 'NotIn', values: ['v'] }] } }),
    ],
  ])('is none that is %s', (_, one, of) => {
    expect(volumeFor(of, [one], {})).toBeUndefined();
  });

  it('is one that the claim selects', () => {
    const of = claim({ selector: { matchExpressions: [{ key: 'tier', operator: 'In', values: ['b'] }] } });
    expect(volumeFor(of, [volume('a'), volume('b')], {})?.metadata?.name).toBe('b');
  });
});

it('may be one of the kinds that a profile allows', () => {
  const one = volume('v', { csi: undefined as never, nfs: { server: 'n', path: '/' } });
  expect(volumeFor(claim(), [one], {})).toBeUndefined();
  expect(volumeFor(claim(), [one], { volumes: true })).toBe(one);
});

describe('a claim without a volume', () => {
  const efs = { provisioner: 'efs.csi.aws.com' };
  const selected = { 'volume.kubernetes.io/selected-node': 'a' };
  it.each<[string, PersistentVolumeClaim, typeof efs | undefined, string[], object | undefined]>([
    ['has one provisioned for a node that exists', claim(), efs, ['b', 'a'], selected],
    ['waits for a node', claim(), efs, [], undefined],
    ['waits for ever on other classes', claim(), { provisioner: 'ebs.csi.aws.com' }, ['a'], undefined],
    ['waits for ever without one', claim(), undefined, ['a'], undefined],
    ['asks once', { ...claim(), metadata: { annotations: selected } }, efs, ['b'], undefined],
  ])('%s', (_, one, of, nodes, expected) => {
    expect(selectedNode(one, of, nodes)).toEqual(expected);
  });
});

describe('a claim waits for its first consumer', () => {
  const waiting = { provisioner: 'efs.csi.aws.com', volumeBindingMode: 'WaitForFirstConsumer' };
  it.each<[string, PersistentVolumeClaim, typeof waiting | undefined, boolean]>([
    ['when its class says so', claim(), waiting, true],
    ['not when its class binds at once', claim(), { ...waiting, volumeBindingMode: 'Immediate' }, false],
    ['not without a class', claim(), undefined, false],
    ['not when it names its volume', claim({ volumeName: 'v' }), waiting, false],
    ['not when it is bound', { ...claim(), status: { phase: 'Bound' } }, waiting, false],
  ])('%s', (_, one, of, expected) => {
    expect(waitsForConsumer(one, of)).toBe(expected);
  });
});
