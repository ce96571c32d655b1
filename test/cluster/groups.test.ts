/** What the API server takes and refuses as security groups, prefix lists and the network, on a real one with our CRDs. */
import { afterAll, beforeAll, expect, it, test } from 'vitest';
import { definitionOf, KINDS } from '../../src/api/crds.ts';
import type { Network } from '../../src/api/network.ts';
import { networks, prefixLists, securityGroups } from '../../src/api/resources.ts';
import type { SecurityGroup } from '../../src/api/security-group.ts';
import { applyManifests } from '../../src/kube/apply.ts';
import { KubeClient } from '../../src/kube/client.ts';
import { clusterGroupName, installNetwork } from '../../src/tool/network.ts';
import { startApiServer, type TestApiServer } from '../support/apiserver.ts';

let server: TestApiServer;
let client: KubeClient;

beforeAll(async () => {
  server = await startApiServer();
  client = new KubeClient(server.config);
  await applyManifests(client, KINDS.map(definitionOf), 'test');
}, 120_000);

afterAll(async () => {
  await client?.close();
  await server?.stop();
}, 60_000);

const group = (spec: unknown): SecurityGroup => ({
  apiVersion: 'cloister.dev/v1alpha1',
  kind: 'SecurityGroup',
  metadata: { name: 'probe' },
  spec: spec as SecurityGroup['spec'],
});
const ingress = (...rules: object[]) => group({ ingress: rules });
const any = { cidr: '0.0.0.0/0' };
const hosts = (count: number) =>
  Array.from({ length: count }, (_, i) => ({ cidr: `10.0.${i >> 8}.${i & 255}/32` }));

test.each([
  ['nothing', group({})],
  ['a rule for a network', ingress({ protocol: 'tcp', ports: { from: 80, to: 90 }, peers: [any] })],
  ['everything from itself', ingress({ protocol: '-1', peers: [{ self: true }] })],
  ['a group and a list', ingress({ protocol: '17', peers: [{ group: 'web' }, { prefixList: 'office' }] })],
  ['a protocol by number', ingress({ protocol: '132', peers: [{ cidr: 'fd00::/8' }] })],
  ['members by address', group({ addresses: ['10.42.0.2/32', '10.42.1.0/24'] })],
  [
    '60 rules each way',
    group({
      ingress: [{ protocol: 'tcp', peers: hosts(60) }],
      egress: [{ protocol: 'tcp', peers: hosts(60) }],
    }),
  ],
])('a group with %s is taken', async (_what, wanted) => {
  await expect(client.create(securityGroups, wanted, { dryRun: true })).resolves.toMatchObject({
    spec: wanted.spec,
  });
});

const PROTOCOLS =
  'must be tcp, udp or icmp in lower case, a protocol number from 0 to 255, or -1 for all of them';

test.each<[string, SecurityGroup, string | RegExp]>([
  ['no such protocol', ingress({ protocol: 'ipv6-icmp', peers: [any] }), PROTOCOLS],
  ['a protocol above 255', ingress({ protocol: '256', peers: [any] }), PROTOCOLS],
  [
    'a protocol in upper case, and nothing else wrong',
    ingress({ protocol: 'TCP', ports: { from: 80, to: 80 }, peers: [any] }),
    new RegExp(`: spec\\.ingress\\[0\\]\\.protocol: Invalid value: "[^"]*": ${PROTOCOLS}$`),
  ],
  [
    'ports of a protocol without',
    ingress({ protocol: 'icmp', ports: { from: 1, to: 2 }, peers: [any] }),
    'only rules for tcp and udp have ports',
  ],
  [
    'ports the wrong way round',
    ingress({ protocol: 'tcp', ports: { from: 90, to: 80 }, peers: [any] }),
    'ports.from must not be above ports.to',
  ],
  [
    'a peer that no group can be',
    ingress({ protocol: 'tcp', peers: [{ group: 'Web' }] }),
    'must be the name of an object: lower-case letters',
  ],
  ['no peer', ingress({ protocol: 'tcp', peers: [] }), 'should have at least 1 items'],
  ['an empty peer', ingress({ protocol: 'tcp', peers: [{}] }), 'a peer is exactly one of'],
  ['a peer of two kinds', ingress({ protocol: 'tcp', peers: [{ ...any, self: true }] }), 'exactly one of'],
  ['not itself', ingress({ protocol: 'tcp', peers: [{ self: false }] }), 'self can only be true'],
  ['bits after a prefix', ingress({ protocol: 'tcp', peers: [{ cidr: '10.0.0.1/8' }] }), 'must be a network'],
  [
    '61 rules',
    ingress({ protocol: 'tcp', peers: hosts(30) }, { protocol: 'udp', peers: hosts(31) }),
    'at most 60 ingress rules',
  ],
  ['members that are no network', group({ addresses: ['10.42.0.2'] }), 'must be a network'],
])('a group with %s is refused in words', async (_what, wanted, text) => {
  await expect(client.create(securityGroups, wanted, { dryRun: true })).rejects.toThrow(text);
});

it('keeps networks under one name, and nothing else', async () => {
  const list = (cidr: string) => ({
    apiVersion: 'cloister.dev/v1alpha1' as const,
    kind: 'PrefixList' as const,
    metadata: { name: 'office' },
    spec: { entries: [{ cidr }] },
  });
  await expect(client.create(prefixLists, list('192.0.2.0/24'))).resolves.toMatchObject(list('192.0.2.0/24'));
  await expect(client.create(prefixLists, list('office'))).rejects.toThrow('must be a network');
});

it('has one network, made once and then left to whoever administers it', async () => {
  await installNetwork(client, 'demo', true);
  const before = await client.get(networks, { name: 'cluster' });
  expect(before.spec).toMatchObject({ cidrs: ['10.42.0.0/16'], dnsSupport: true, dnsHostnames: true });
  const group = await client.get(securityGroups, { name: before.spec.clusterSecurityGroup });
  expect(group.metadata.name).toMatch(/^eks-cluster-sg-demo-\d{10}$/);
  expect(clusterGroupName('demo')).toBe(group.metadata.name);
  await client.patch(networks, { name: 'cluster' }, { spec: { dnsSupport: false } }, { type: 'merge' });
  await installNetwork(client, 'demo', true);
  expect((await client.get(networks, { name: 'cluster' })).spec.dnsSupport).toBe(false);
});

test.each<[string, string, Partial<Network['spec']>, string]>([
  ['a second one', 'other', {}, 'a cluster has one Network, and its name is cluster'],
  ['no networks', 'cluster', { cidrs: [] }, 'should have at least 1 items'],
  [
    'a kubelet client of two kinds',
    'cluster',
    {
      node: { egress: [], kubeletClients: [{ cidr: '10.0.0.1/32', namespaceSelector: {}, podSelector: {} }] },
    },
    'a client is either a cidr, or a namespaceSelector with a podSelector',
  ],
  [
    'a kubelet client by half',
    'cluster',
    { node: { egress: [], kubeletClients: [{ podSelector: {} }] } },
    'a client is either a cidr, or a namespaceSelector with a podSelector',
  ],
  ['another primary network', 'cluster', { cidrs: ['10.0.0.0/16'] }, 'the primary network cannot be changed'],
])('the network refuses %s, in words', async (_what, name, part, text) => {
  const { metadata, ...rest } = await client.get(networks, { name: 'cluster' });
  const changed = { ...rest, metadata: { ...metadata, name }, spec: { ...rest.spec, ...part } };
  const { resourceVersion: _, uid: __, ...fresh } = changed.metadata;
  const written =
    name === 'cluster'
      ? client.replace(networks, changed)
      : client.create(networks, { ...changed, metadata: { ...fresh, name } });
  await expect(written).rejects.toThrow(text);
});
