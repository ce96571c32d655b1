import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { STEPS } from '../sizing/size.ts';
import { machineFor, microVMOf } from './microvm.ts';
import { nodeAllocatable, nodeCapacity, nodeNameOf, nodeOf, providerId } from './node.ts';

const UID = '4079908372-a2c1-d80b-1671-c971885c7c45';
const SIZE = { milliCpu: 250, memoryMiB: 512, storageGiB: 20 };
const PLACEMENT = { subnet: 'private-a', zone: 'local-1a', region: 'local-1', address: '10.42.64.7' };
const POD = {
  metadata: {
    namespace: 'default',
    name: 'web',
    uid: UID,
    annotations: { 'fargate.amazonaws.com/pod-sg': 'sg-1,sg-2' },
  },
  spec: { containers: [] },
};
const MACHINE = machineFor(POD, { profile: 'fp', size: SIZE, placement: PLACEMENT, image: 'abc' });

describe('machineFor', () => {
  it('is all that was decided', () => {
    expect(MACHINE).toEqual({
      name: `vm-${UID}`,
      pod: { namespace: 'default', name: 'web', uid: UID },
      profile: 'fp',
      size: SIZE,
      placement: PLACEMENT,
      securityGroups: ['sg-1', 'sg-2'],
      image: 'abc',
    });
  });
  it('has no security groups where no policy gave any', () => {
    const plain = { ...POD, metadata: { ...POD.metadata, annotations: {} } };
    expect(
      machineFor(plain, { profile: 'p', size: SIZE, placement: PLACEMENT, image: '' }).securityGroups,
    ).toEqual([]);
  });
  it.each(['namespace', 'name', 'uid'] as const)('refuses a pod without %s', (field) => {
    const { [field]: _, ...metadata } = POD.metadata;
    expect(() =>
      machineFor({ ...POD, metadata }, { profile: 'p', size: SIZE, placement: PLACEMENT, image: '' }),
    ).toThrow(`the pod has no metadata.${field}`);
  });
});

describe('microVMOf', () => {
  it('carries the finalizer and what kubectl shows', () => {
    const { name, ...spec } = MACHINE;
    expect(microVMOf(MACHINE)).toEqual({
      apiVersion: 'cloister.dev/v1alpha1',
      kind: 'MicroVM',
      metadata: {
        name,
        finalizers: ['cloister.dev/machine'],
        labels: { 'eks.amazonaws.com/fargate-profile': 'fp' },
        annotations: {
          CapacityProvisioned: '0.25vCPU 0.5GB',
          'cloister.dev/node': 'fargate-ip-10-42-64-7.local-1.compute.internal',
        },
      },
      spec,
    });
  });
});

describe('nodeOf', () => {
  it('has the shape of spec §5', () => {
    expect(nodeOf(MACHINE, 'cloister', '2026-01-01T00:00:00Z')).toMatchObject({
      apiVersion: 'v1',
      kind: 'Node',
      metadata: {
        name: 'fargate-ip-10-42-64-7.local-1.compute.internal',
        labels: {
          'beta.kubernetes.io/arch': 'amd64',
          'beta.kubernetes.io/os': 'linux',
          'eks.amazonaws.com/compute-type': 'fargate',
          'failure-domain.beta.kubernetes.io/region': 'local-1',
          'failure-domain.beta.kubernetes.io/zone': 'local-1a',
          'kubernetes.io/arch': 'amd64',
          'kubernetes.io/hostname': 'ip-10-42-64-7.local-1.compute.internal',
          'kubernetes.io/os': 'linux',
          'node.kubernetes.io/exclude-disruption': 'true',
          'node.kubernetes.io/exclude-from-external-load-balancers': 'true',
          'topology.kubernetes.io/region': 'local-1',
          'topology.kubernetes.io/zone': 'local-1a',
        },
      },
      spec: { taints: [{ key: 'eks.amazonaws.com/compute-type', value: 'fargate', effect: 'NoSchedule' }] },
      status: {
        addresses: [
          { type: 'InternalIP', address: '10.42.64.7' },
          { type: 'InternalDNS', address: 'ip-10-42-64-7.local-1.compute.internal' },
          { type: 'Hostname', address: 'ip-10-42-64-7.local-1.compute.internal' },
        ],
        capacity: { cpu: '1', memory: '512Mi', pods: '1', 'ephemeral-storage': '20Gi' },
        allocatable: { cpu: '250m', memory: '256Mi', pods: '1', 'ephemeral-storage': '16Gi' },
        conditions: [{ type: 'Ready', status: 'False', lastTransitionTime: '2026-01-01T00:00:00Z' }],
        daemonEndpoints: { kubeletEndpoint: { Port: 10250 } },
      },
    });
  });

  it('has no other labels: none of an instance type, a node group, a capacity type or a profile', () => {
    const { labels } = nodeOf(MACHINE, 'cloister', '2026-01-01T00:00:00Z').metadata;
    expect(Object.keys(labels ?? {}).toSorted()).toEqual([
      'beta.kubernetes.io/arch',
      'beta.kubernetes.io/os',
      'eks.amazonaws.com/compute-type',
      'failure-domain.beta.kubernetes.io/region',
      'failure-domain.beta.kubernetes.io/zone',
      'kubernetes.io/arch',
      'kubernetes.io/hostname',
      'kubernetes.io/os',
      // Not of the original: see docs/adr/0004.
      'node.kubernetes.io/exclude-disruption',
      'node.kubernetes.io/exclude-from-external-load-balancers',
      'topology.kubernetes.io/region',
      'topology.kubernetes.io/zone',
    ]);
  });

  it('has the annotations of the original', () => {
    expect(nodeOf(MACHINE, 'cloister', '2026-01-01T00:00:00Z').metadata.annotations).toMatchObject({
      'node.alpha.kubernetes.io/ttl': '0',
      'volumes.kubernetes.io/controller-managed-attach-detach': 'true',
    });
  });

  it('is named ec2.internal in us-east-1', () => {
    const placement = { ...PLACEMENT, region: 'us-east-1', address: '192.168.85.85' };
    expect(nodeNameOf({ placement })).toBe('fargate-ip-192-168-85-85.ec2.internal');
  });

  it('has a provider id whose first part is the cluster’s', () => {
    const shape =
      /^aws:\/\/\/local-1a\/([0-9a-f]{10})-(.+)\/fargate-ip-10-42-64-7\.local-1\.compute\.internal$/;
    const [, cluster, task] = shape.exec(providerId(MACHINE, 'cloister')) ?? [];
    expect(task).toBe(UID.replaceAll('-', ''));
    expect(shape.exec(providerId({ ...MACHINE, pod: { ...MACHINE.pod, uid: 'x' } }, 'cloister'))?.[1]).toBe(
      cluster,
    );
    expect(shape.exec(providerId(MACHINE, 'other'))?.[1]).not.toBe(cluster);
  });
});

describe('capacity and allocatable', () => {
  it.each([
    [500, '1', '500m'],
    [1000, '1', '1'],
    [4000, '4', '4'],
    [16000, '16', '16'],
  ])('%s thousandths', (milliCpu, capacity, allocatable) => {
    expect(nodeCapacity({ ...SIZE, milliCpu })).toMatchObject({ cpu: capacity });
    expect(nodeAllocatable({ ...SIZE, milliCpu })).toMatchObject({ cpu: allocatable });
  });

  it('differ by what the node takes, for every size', () => {
    fc.assert(
      fc.property(fc.constantFrom(...STEPS), fc.integer({ min: 20, max: 190 }), (step, storageGiB) => {
        const size = { ...step, storageGiB };
        expect(nodeCapacity(size).memory).toBe(`${size.memoryMiB}Mi`);
        expect(nodeAllocatable(size).memory).toBe(`${size.memoryMiB - 256}Mi`);
        expect(nodeAllocatable(size)['ephemeral-storage']).toBe(`${storageGiB - 4}Gi`);
      }),
    );
  });
});
