import { describe, expect, it } from 'vitest';
import { worldOf } from '../firewall/world.ts';
import { lacksOf, requirementsOf } from './lacks.ts';

const only = (port: number) => ({ from: port, to: port });

const network = {
  spec: {
    clusterSecurityGroup: 'cluster',
    node: {
      egress: [
        { cidr: '10.42.0.2/32', protocol: 'tcp', ports: only(6443), description: 'API server' },
        { cidr: '10.42.0.2/32', protocol: 'udp', ports: only(53), description: 'resolver' },
        { cidr: '10.42.0.2/32', protocol: 'tcp', ports: only(53), description: 'resolver' },
        { cidr: '10.42.0.2/32', protocol: 'tcp', ports: only(5000), description: 'registry' },
        { cidr: '0.0.0.0/0', protocol: 'tcp', ports: only(443), description: 'registries outside' },
      ],
      kubeletClients: [{ cidr: '10.42.0.2/32' }],
    },
  },
};

const all = [{ protocol: '-1', peers: [{ cidr: '0.0.0.0/0' }] }];
const world = worldOf({
  machines: [],
  pods: [],
  namespaces: [],
  prefixLists: [],
  policies: [],
  network: network.spec,
  groups: [
    { metadata: { name: 'all' }, spec: { ingress: all, egress: all } },
    {
      metadata: { name: 'web' },
      spec: { ingress: [{ protocol: 'tcp', ports: only(80), peers: [{ cidr: '0.0.0.0/0' }] }] },
    },
    {
      metadata: { name: 'node' },
      spec: {
        ingress: [{ protocol: 'tcp', ports: only(10250), peers: [{ cidr: '10.42.0.2/32' }] }],
        egress: [
          { protocol: 'tcp', peers: [{ cidr: '10.42.0.0/24' }] },
          { protocol: 'udp', ports: only(53), peers: [{ cidr: '10.42.0.2/32' }] },
        ],
      },
    },
  ],
});

const lacks = (...groups: string[]) => lacksOf(groups, requirementsOf(network, ['10.42.1.7']), world);

describe('what groups lack', () => {
  it('is nothing where everything may pass', () => {
    expect(lacks('all')).toEqual([]);
    expect(lacks('web', 'all')).toEqual([]);
  });

  it('is told for API server, DNS on UDP and TCP, registry and kubelet', () => {
    expect(lacks('web')).toEqual([
      'API server: group web has no egress rule for TCP 6443 to 10.42.0.2',
      'resolver: group web has no egress rule for UDP 53 to 10.42.0.2',
      'resolver: group web has no egress rule for TCP 53 to 10.42.0.2',
      'registry: group web has no egress rule for TCP 5000 to 10.42.0.2',
      'cluster DNS: group web has no egress rule for UDP 53 to 10.42.1.7',
      'cluster DNS: group web has no egress rule for TCP 53 to 10.42.1.7',
      'kubelet: group web has no ingress rule for TCP 10250 from 10.42.0.2',
    ]);
  });

  it('names all groups that take part', () => {
    expect(lacks('web', 'node')).toEqual([
      'cluster DNS: groups web, node have no egress rule for UDP 53 to 10.42.1.7',
      'cluster DNS: groups web, node have no egress rule for TCP 53 to 10.42.1.7',
    ]);
  });
});
