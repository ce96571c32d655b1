import { load } from 'js-yaml';
import { expect, test } from 'vitest';
import { exec } from '../host/exec.ts';
import { nodeCommand, nodeFiles } from './node.ts';

const files = nodeFiles();

test('the first program is a POSIX shell script without errors of syntax', async () => {
  await exec('sh', ['-n'], { input: files['init'] as string });
});

test('is entered with its folders and one control group per hierarchy', () => {
  expect(
    nodeCommand('/state/node', '/programs', ['/sys/fs/cgroup/cpu/x-node', '/sys/fs/cgroup/memory/x-node']),
  ).toEqual([
    'sh',
    [
      '/state/node/init',
      'enter',
      '/state/node',
      '/programs',
      '/sys/fs/cgroup/cpu/x-node',
      '/sys/fs/cgroup/memory/x-node',
    ],
  ]);
});

test('pods ask the cluster DNS, and no container is placed by the host', () => {
  const kubelet = load(files['kubelet.yaml'] as string) as Record<string, unknown>;
  expect(kubelet).toMatchObject({
    clusterDNS: ['10.96.0.10'],
    clusterDomain: 'cluster.local',
    authentication: { anonymous: { enabled: false } },
    authorization: { mode: 'Webhook' },
  });
  expect(kubelet['readOnlyPort']).toBeUndefined();
});

test('pods get addresses of their range only', () => {
  const cni = JSON.parse(files['cni/10-cloister.conflist'] as string) as {
    plugins: { ipam?: { ranges: unknown } }[];
  };
  expect(cni.plugins[0]?.ipam?.ranges).toEqual([[{ subnet: '10.42.1.0/24' }]]);
});

test('the registry of the cluster is reached by plain HTTP, under the name that manifests use', () => {
  expect(files['registries/registry.cloister.internal:5000/hosts.toml']).toContain(
    'server = "http://registry.cloister.internal:5000"',
  );
});
