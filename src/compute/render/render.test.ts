/** Golden copies of everything that one machine is rendered to, and the properties that they must not lose. */
import { expect, test } from 'vitest';
import type { Firewall } from '../../core/firewall/firewall.ts';
import { TCP } from '../../core/firewall/protocol.ts';
import type { Machine, Size } from '../../core/machine/machine.ts';
import { EVERYWHERE, rangesOf } from '../../core/net/ranges.ts';
import { networkBatch } from './network.ts';
import { machineUser, qemuArguments } from './qemu.ts';
import { uplinkHostRuleset, uplinkName, vpcRuleset } from './router.ts';
import { firewallRules, ruleset } from './ruleset.ts';
import { limitFiles, renewalFiles, seedFiles } from './seed.ts';

const machine: Machine = {
  name: 'vm-7f1c2f3e-0d3b-4f0e-9d4e-2b9a1f6c5d10',
  pod: { namespace: 'shop', name: 'cart-0', uid: '7f1c2f3e-0d3b-4f0e-9d4e-2b9a1f6c5d10' },
  profile: 'shop',
  size: { milliCpu: 250, memoryMiB: 512, storageGiB: 20 },
  placement: { subnet: 'private-a', zone: 'local-1a', region: 'local-1', address: '10.42.64.7' },
  securityGroups: [],
  image: '0123456789abcdef',
};

const host = {
  cluster: 'cloister',
  kernel: '/image/kernel',
  initrd: '/image/initrd',
  root: '/image/root.erofs',
};
const credentials = {
  client: { certificate: 'CLIENT CERTIFICATE\n', key: 'CLIENT KEY\n' },
  serving: { certificate: 'SERVING CERTIFICATE\n', key: 'SERVING KEY\n' },
  proxyToken: 'TOKEN',
  images: [
    {
      host: 'private.example',
      username: 'AWS',
      password: 'PASSWORD',
      endpoint: 'http://10.42.0.2:5001',
    },
  ],
};
const seed = (of = machine) =>
  seedFiles({
    machine: of,
    nodeName: 'fargate-ip-10-42-64-7.local-1.compute.internal',
    cluster: {
      server: 'https://10.42.0.2:6443',
      ca: 'AUTHORITY\n',
      clusterDns: '10.96.0.10',
      clusterDomain: 'cluster.local',
      resolver: '10.42.0.2',
      registries: [{ host: 'registry.cloister.internal:5000', endpoint: 'http://10.42.0.2:5000' }],
    },
    credentials,
  });
const listing = (files: Readonly<Record<string, { content: string; mode: number }>>): string =>
  Object.entries(files)
    .map(([path, { content, mode }]) => `=== ${path} ${mode.toString(8)}\n${content}`)
    .join('\n');

test.each(['tcg', 'kvm'] as const)('QEMU arguments under %s', async (acceleration) => {
  const lines = qemuArguments(machine, { ...host, acceleration });
  await expect(`${lines.join('\n')}\n`).toMatchFileSnapshot(`golden/qemu-${acceleration}`);
});

test('network', async () => {
  await expect(`${networkBatch(machine).join('\n')}\n`).toMatchFileSnapshot('golden/network');
});

/** A machine in two groups, one policy on what comes in, none on what goes out. */
const firewall: Firewall = {
  address: machine.placement.address,
  groups: {
    ingress: {
      origins: ['web', 'office'],
      allows: [
        { protocol: TCP, ports: { from: 80, to: 90 }, peers: EVERYWHERE, origin: 'web' },
        { protocol: TCP, ports: { from: 22, to: 22 }, peers: rangesOf(['192.0.2.0/24']), origin: 'office' },
        { peers: rangesOf(['10.42.64.7/32', '10.42.64.9/32']), origin: 'office' },
        { peers: [], origin: 'office' },
      ],
    },
    egress: { origins: ['web', 'office'], allows: [{ peers: EVERYWHERE, origin: 'web' }] },
  },
  policies: {
    ingress: { origins: ['shop/deny'], allows: [{ protocol: 17, peers: EVERYWHERE, origin: 'shop/deny' }] },
  },
  node: {
    egress: [
      { protocol: TCP, ports: { from: 6443, to: 6443 }, peers: rangesOf(['10.42.0.2/32']), origin: 'node' },
    ],
    kubeletClients: rangesOf(['10.42.0.2/32']),
  },
};

test('packet filter of a machine, closed as it starts', async () => {
  await expect(ruleset(machine.placement.address)).toMatchFileSnapshot('golden/ruleset.nft');
});

test('rules of a firewall', async () => {
  await expect(firewallRules(firewall)).toMatchFileSnapshot('golden/firewall.nft');
});

test('connections are marked with another number as soon as any rule is another', () => {
  const mark = (rules: string) => /ct mark (0x[0-9a-f]{8}) accept/.exec(rules)?.[1];
  const closer = { ...firewall, node: { ...firewall.node, kubeletClients: [] } };
  expect(mark(firewallRules(firewall))).toBe(mark(firewallRules({ ...firewall })));
  expect(mark(firewallRules(closer))).not.toBe(mark(firewallRules(firewall)));
  expect(mark(firewallRules(firewall))).not.toBe('0x00000000');
});

test('a rule tells whose it is within what the kernel keeps of a comment', () => {
  const origin = `${'n'.repeat(63)}/${'p'.repeat(253)}`;
  const allows = [{ peers: EVERYWHERE, origin }];
  const rules = firewallRules({ ...firewall, policies: { egress: { origins: [origin], allows } } });
  expect(rules).toContain(`return comment "${origin.slice(0, 127)}"`);
});

test('packet filters of the router and its uplink', async () => {
  await expect(vpcRuleset()).toMatchFileSnapshot('golden/vpc.nft');
  await expect(uplinkHostRuleset('cloister-router')).toMatchFileSnapshot('golden/uplink.nft');
  const guarded = uplinkHostRuleset('cloister-router', 'ens5');
  await expect(guarded).toMatchFileSnapshot('golden/uplink-guarded.nft');
});

test('seed', async () => {
  await expect(listing(seed().files)).toMatchFileSnapshot('golden/seed');
});

test('seed beyond the original: only what the profile sets differs', async () => {
  const opened = {
    rlimits: { nofile: { soft: 65_536, hard: 1_048_576 } },
    sysctls: true,
    hostNetwork: true,
    hostPorts: [{ protocol: 'tcp' as const, hostPort: 8080, containerPort: 80 }],
  };
  const plain = seed().files;
  const changed = Object.entries(seed({ ...machine, opened }).files).filter(
    ([path, file]) => plain[path]?.content !== file.content,
  );
  await expect(listing(Object.fromEntries(changed))).toMatchFileSnapshot('golden/seed-opened');
});

test('arguments fit one line each, for `launch` reads them line by line', () => {
  for (const argument of qemuArguments(machine, { ...host, acceleration: 'tcg' })) {
    expect(argument).toMatch(/^[^\n]+$/);
  }
});

test('mitigations are off only under emulation', () => {
  const line = (acceleration: 'kvm' | 'tcg') => qemuArguments(machine, { ...host, acceleration }).join(' ');
  expect(line('tcg')).toContain('mitigations=off');
  expect(line('kvm')).not.toContain('mitigations');
});

test('a renewal carries secrets only, private to root, certificate and key in one file', () => {
  const { files } = renewalFiles(credentials);
  expect(Object.keys(files)).toHaveLength(4);
  for (const [path, file] of Object.entries(files)) {
    expect(file.mode).toBe(0o600);
    expect(seed().files[path]).toEqual(file);
  }
  expect(files['/etc/kubernetes/pki/kubelet-client.pem']?.content).toBe('CLIENT CERTIFICATE\nCLIENT KEY\n');
});

test('without registries that ask who pulls, the kubelet has no provider', () => {
  const none = { ...credentials, images: [] };
  expect(Object.keys(renewalFiles(none).files)).toHaveLength(3);
});

test.each([
  [{ milliCpu: 250, memoryMiB: 512, storageGiB: 20 }, '25000 100000\n'],
  [{ milliCpu: 500, memoryMiB: 1024, storageGiB: 20 }, '50000 100000\n'],
  [{ milliCpu: 1000, memoryMiB: 2048, storageGiB: 20 }, 'max 100000\n'],
  [{ milliCpu: 16000, memoryMiB: 122880, storageGiB: 20 }, 'max 100000\n'],
] satisfies [Size, string][])('the vCPU limit of %o is %j', (size, content) => {
  expect(limitFiles({ ...machine, size }).files['/etc/cloister/cpu.max']?.content).toBe(content);
});

test('users of machines are unprivileged and one per address', () => {
  expect(machineUser('10.42.64.7')).toBe(0x702a4007);
  expect(machineUser('10.42.64.7')).not.toBe(machineUser('10.42.80.7'));
});

test('interface names fit into 15 characters', () => {
  expect(uplinkName('a-cluster-with-quite-a-long-name-router').length).toBeLessThanOrEqual(15);
});
