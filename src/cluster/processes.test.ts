import { expect, test } from 'vitest';
import {
  apiServer,
  controllerManager,
  etcd,
  REGISTRIES,
  reachableResolvers,
  registry,
  registryConfig,
  resolverConfig,
  scheduler,
} from './processes.ts';

const inputs = { state: '/state', components: '/programs' };

test('nothing listens on all addresses', () => {
  const parts = [etcd, apiServer, controllerManager, scheduler].map((part) => part(inputs));
  for (const { args } of parts) {
    const listening = args.filter((arg) => /^--(bind-address|listen-.*-urls)=/.test(arg));
    expect(listening.length).toBeGreaterThan(0);
    for (const arg of listening) expect(arg).toMatch(/=(http:\/\/)?(127\.0\.0\.1|10\.42\.0\.2)(:|$)/);
  }
  expect(registryConfig('registry', '/state')).toContain('addr: 10.42.0.2:5000');
  expect(registryConfig('registry-push', '/state')).toContain('addr: 127.0.0.1:5001');
});

test('no argument is given twice, and every path lies below state or programs', () => {
  const parts = [etcd, apiServer, controllerManager, scheduler].map((part) => part(inputs));
  const registries = REGISTRIES.map((name) => registry(name, inputs, '/programs/docker-registry'));
  for (const { program, args } of [...parts, ...registries]) {
    expect(program).toMatch(/^\/programs\//);
    const names = args.filter((arg) => arg.startsWith('--')).map((arg) => arg.split('=')[0]);
    expect(new Set(names).size).toBe(names.length);
    for (const arg of args) {
      const path = arg.match(/^(?:--[a-z-]+=)?(\/.*)$/)?.[1];
      if (path !== undefined) expect(path).toMatch(/^\/state\//);
    }
  }
});

test.each([
  ['nameserver 192.0.2.53\nsearch example.org\n', ['192.0.2.53']],
  ['# nameserver 192.0.2.1\nnameserver 127.0.0.53\noptions edns0\n', []],
  ['nameserver ::1\nnameserver 192.0.2.1\n  nameserver\t192.0.2.2 \n', ['192.0.2.1', '192.0.2.2']],
])('finds the name servers that other namespaces reach in %j', (text, found) => {
  expect(reachableResolvers(text)).toEqual(found);
});

test('names that nobody can resolve do not exist, at once', () => {
  expect(resolverConfig([])).toContain('rcode NXDOMAIN');
  expect(resolverConfig([])).not.toContain('forward');
  expect(resolverConfig(['192.0.2.1', '192.0.2.2'])).toContain('forward . 192.0.2.1 192.0.2.2');
});
