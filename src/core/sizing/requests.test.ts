import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Container, Pod, PodSpec } from '../pod.ts';
import { requestsOf } from './requests.ts';

const pod = (spec: Partial<PodSpec>): Pod => ({ metadata: {}, spec: { containers: [], ...spec } });

const container = (cpu?: string, memory?: string, more: Partial<Container> = {}): Container => ({
  name: 'c',
  resources: { requests: { ...(cpu ? { cpu } : {}), ...(memory ? { memory } : {}) } },
  ...more,
});

const sidecar = (cpu?: string, memory?: string): Container =>
  container(cpu, memory, { restartPolicy: 'Always' });

const amounts = (spec: Partial<PodSpec>) => {
  const { milliCpu, memoryMiB } = requestsOf(pod(spec));
  return [milliCpu, memoryMiB];
};

describe('requestsOf', () => {
  it.each<[string, Partial<PodSpec>, number[]]>([
    ['nothing', { containers: [{ name: 'c' }] }, [0, 0]],
    ['one', { containers: [container('250m', '256Mi')] }, [250, 256]],
    ['a sum', { containers: [container('250m', '256Mi'), container('1', '1Gi')] }, [1250, 1280]],
    [
      'init below the sum',
      { containers: [container('1', '1Gi')], initContainers: [container('500m', '512Mi')] },
      [1000, 1024],
    ],
    [
      'init above, per resource',
      { containers: [container('1', '1Gi')], initContainers: [container('500m', '2Gi'), container('2')] },
      [2000, 2048],
    ],
    [
      'a sidecar adds to containers',
      { containers: [container('1', '1Gi')], initContainers: [sidecar('500m', '512Mi')] },
      [1500, 1536],
    ],
    [
      'init containers run beside sidecars listed before them only',
      {
        containers: [container('100m', '100Mi')],
        initContainers: [container('3', '1Gi'), sidecar('1', '100Mi'), container('1500m', '3Gi')],
      },
      [3000, 3172],
    ],
    [
      'several sidecars before an init container',
      {
        containers: [container('1')],
        initContainers: [sidecar('1'), sidecar('1'), container('2')],
      },
      [4000, 0],
    ],
    [
      'limits stand in for requests, as the API server has it',
      {
        containers: [
          { name: 'c', resources: { limits: { cpu: '2', memory: '2Gi' }, requests: { cpu: '1' } } },
        ],
      },
      [1000, 2048],
    ],
    [
      'pod-level requests stand above',
      {
        containers: [container('1', '1Gi')],
        resources: { requests: { cpu: '500m' } },
      },
      [500, 1024],
    ],
    [
      'pod-level limits fill in only',
      {
        containers: [container('1')],
        resources: { limits: { cpu: '4', memory: '3Gi' } },
      },
      [1000, 3072],
    ],
    [
      'overhead comes on top',
      { containers: [container('1', '1Gi')], overhead: { cpu: '250m', memory: '120Mi' } },
      [1250, 1144],
    ],
    ['zero at pod level', { containers: [container('1')], resources: { requests: { cpu: '0' } } }, [0, 0]],
  ])('%s', (_, spec, expected) => {
    expect(amounts(spec)).toEqual(expected);
  });

  it('counts ephemeral storage', () => {
    const resources = { requests: { 'ephemeral-storage': '10Gi' } };
    const spec = {
      containers: [
        { name: 'a', resources },
        { name: 'b', resources },
      ],
    };
    expect(requestsOf(pod(spec)).storageMiB).toBe(20 * 1024);
  });

  it('names what no size has', () => {
    const spec: Partial<PodSpec> = {
      containers: [
        { name: 'a', resources: { limits: { 'nvidia.com/gpu': '1', 'example.com/none': '0' } } },
        { name: 'b', resources: { requests: { 'hugepages-2Mi': '4Mi' } } },
      ],
      resourceClaims: [{ name: 'fpga' }],
    };
    expect(requestsOf(pod(spec)).unsupported).toEqual(['hugepages-2Mi', 'nvidia.com/gpu', 'fpga']);
  });

  it('agrees with following the pod through its life', () => {
    const any = fc.record({ cpu: fc.nat(5000), sidecar: fc.boolean() });
    fc.assert(
      fc.property(
        fc.array(any, { maxLength: 6 }),
        fc.array(fc.nat(5000), { maxLength: 5 }),
        (init, regular) => {
          let peak = 0;
          let running = 0;
          for (const { cpu, sidecar } of init) {
            peak = Math.max(peak, running + cpu);
            if (sidecar) running += cpu;
          }
          peak = Math.max(peak, running + regular.reduce((sum, cpu) => sum + cpu, 0));
          const spec = {
            containers: regular.map((cpu) => container(`${cpu}m`)),
            initContainers: init.map((c) => (c.sidecar ? sidecar(`${c.cpu}m`) : container(`${c.cpu}m`))),
          };
          expect(amounts(spec)[0]).toBe(peak);
        },
      ),
    );
  });
});
