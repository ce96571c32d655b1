import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { type EksConfig, loadConfig } from './config.ts';

const folder = mkdtempSync(join(tmpdir(), 'cloister-config-'));
afterAll(() => rmSync(folder, { recursive: true }));

const load = (eks: Partial<EksConfig>) => {
  const path = join(folder, 'config.json');
  const config = {
    kubeconfig: 'k',
    clusterName: 'c',
    region: 'local-1',
    webhook: { address: '10.0.0.1', port: 9443, certificate: 'c', key: 'k' },
    cluster: {
      ...{ server: 's', certificateAuthority: 'c', clusterDns: 'd', clusterDomain: 'd', resolver: 'r' },
      registries: [],
    },
    provider: { kind: 'fake', directory: 'd', capacity: { memoryMiB: 1024, milliCpu: 1000 } },
    eks: {
      ...{ account: '000000000000', kubernetesVersion: '1.36', endpoint: 'e', serviceCidr: 's', issuer: 'i' },
      ...eks,
    },
    joinLimitSeconds: 60,
    logLevel: 'info',
  };
  writeFileSync(path, JSON.stringify(config));
  return loadConfig(path);
};

it.each(['127.0.0.1', '127.9.0.1', '::1'])('plain HTTP, anonymous too, may listen on %s', (address) => {
  expect(load({ http: { address, port: 80 }, anonymous: true }).eks?.anonymous).toBe(true);
});

it.each(['0.0.0.0', '10.42.0.2', '::', 'localhost.example.org', '127.0.0.1.example.org', ''])(
  'plain HTTP may not listen on %j',
  (address) => {
    expect(() => load({ http: { address, port: 80 } })).toThrow(/\/eks\/http\/address/);
  },
);

it('names every wrong field', () => {
  expect(() => load({ account: '12', rate: { perSecond: 0, burst: 1 } })).toThrow(
    /is wrong: .*\/eks\/account.*\/eks\/rate\/perSecond/,
  );
});
