import { describe, expect, it } from 'vitest';
import type { Container, Pod, PodSpec } from '../pod.ts';
import type { Policy } from '../validation/policy.ts';
import { nodeLabels } from './node.ts';
import { type Opened, openedFor } from './opened.ts';

type Ports = NonNullable<Container['ports']>;
const pod = (spec: Partial<PodSpec> = {}): Pod => ({
  metadata: {},
  spec: { containers: [{ name: 'c' }], ...spec },
});
const withPorts = (...ports: Ports): Pod => pod({ containers: [{ name: 'c', ports }] });

describe('what a profile gives the machine of a pod', () => {
  it.each<[string, Policy, Pod, Opened | undefined]>([
    ['nothing, as the original', {}, pod({ hostNetwork: true }), undefined],
    ['nothing by what only admission looks at', { privileged: true, reject: true }, pod(), undefined],
    ['labels', { nodeLabels: { pool: 'a' } }, pod(), { nodeLabels: { pool: 'a' } }],
    ['no labels', { nodeLabels: {} }, pod(), undefined],
    [
      'limits',
      { rlimits: { nofile: { soft: 2, hard: 3 } } },
      pod(),
      { rlimits: { nofile: { soft: 2, hard: 3 } } },
    ],
    ['sysctls', { sysctls: true }, pod(), { sysctls: true }],
    [
      "the guest's network, to a pod that uses it",
      { hostNamespaces: true },
      pod({ hostNetwork: true }),
      { hostNetwork: true },
    ],
    ['not to another', { hostNamespaces: true }, pod({ hostPID: true }), undefined],
    [
      'host ports that differ',
      { hostPorts: true },
      withPorts(
        { containerPort: 80, hostPort: 8080 },
        { containerPort: 53, hostPort: 5353, protocol: 'UDP', hostIP: '0.0.0.0' },
      ),
      {
        hostPorts: [
          { protocol: 'tcp', hostPort: 8080, containerPort: 80 },
          { protocol: 'udp', hostPort: 5353, containerPort: 53 },
        ],
      },
    ],
    [
      'no translation of others: equal, none, at an address that the guest has not, of another protocol',
      { hostPorts: true },
      withPorts(
        { containerPort: 80, hostPort: 80 },
        { containerPort: 81 },
        { containerPort: 82, hostPort: 83, hostIP: '127.0.0.1' },
        { containerPort: 84, hostPort: 85, protocol: 'SCTP' },
      ),
      undefined,
    ],
  ])('%s', (_, policy, one, expected) => {
    expect(openedFor(one, policy)).toEqual(expected);
  });
});

it('labels of a profile never take the place of others', () => {
  const at = { subnet: 's', zone: 'z', region: 'r', address: '10.0.0.4' };
  const own = { pool: 'a', 'topology.kubernetes.io/zone': 'elsewhere' };
  expect(nodeLabels(at, own)).toEqual({ ...nodeLabels(at), pool: 'a' });
});
