import { X509Certificate } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { load } from 'js-yaml';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { ensurePki, kubeconfig, LEAVES } from './pki.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'cloister-pki-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const certificate = (name: string): X509Certificate =>
  new X509Certificate(readFileSync(join(folder, `${name}.crt`)));
const contents = (): Record<string, string> =>
  Object.fromEntries(readdirSync(folder).map((file) => [file, readFileSync(join(folder, file), 'utf8')]));

test('every certificate is signed by its authority, which is told from the other', async () => {
  await ensurePki(folder);
  for (const [name, leaf] of Object.entries(LEAVES)) {
    expect(certificate(name).verify(certificate(leaf.authority).publicKey), name).toBe(true);
    expect(certificate(name).checkIssued(certificate(leaf.authority)), name).toBe(true);
    expect(certificate(name).ca).toBe(false);
  }
  expect(certificate('front-proxy-client').verify(certificate('ca').publicKey)).toBe(false);
});

test('users are who Kubernetes takes them for, servers are where they are', async () => {
  await ensurePki(folder);
  expect(certificate('admin').subject.split('\n').sort()).toEqual(['CN=admin', 'O=system:masters']);
  expect(certificate('node').subject).toContain('CN=system:node:ip-10-42-0-3.local-1.compute.internal');
  expect(certificate('product').subject).toBe('CN=cloister:controller');
  for (const address of ['10.42.0.2', '127.0.0.1', '10.96.0.1']) {
    expect(certificate('apiserver').checkIP(address)).toBe(address);
  }
  expect(certificate('webhook').checkIP('10.42.0.2')).toBe('10.42.0.2');
});

test('all files are readable by root alone', async () => {
  await ensurePki(folder);
  for (const file of readdirSync(folder)) expect(statSync(join(folder, file)).mode & 0o777, file).toBe(0o600);
});

test('what is there is kept', async () => {
  await ensurePki(folder);
  const before = contents();
  await ensurePki(folder);
  expect(contents()).toEqual(before);
});

test('a certificate without its key is made again, and only that', async () => {
  await ensurePki(folder);
  const before = contents();
  rmSync(join(folder, 'admin.key'));
  await ensurePki(folder);
  const changed = Object.entries(contents()).filter(([file, text]) => before[file] !== text);
  expect(changed.map(([file]) => file).sort()).toEqual(['admin.crt', 'admin.key']);
});

test('with an authority everything it signed is made again', async () => {
  await ensurePki(folder);
  const before = contents();
  rmSync(join(folder, 'ca.key'));
  await ensurePki(folder);
  expect(certificate('admin').verify(certificate('ca').publicKey)).toBe(true);
  expect(contents()['front-proxy-client.crt']).toBe(before['front-proxy-client.crt']);
  expect(contents()['sa.key']).toBe(before['sa.key']);
});

test('a certificate that is damaged is an error and not replaced in silence', async () => {
  await ensurePki(folder);
  writeFileSync(join(folder, 'admin.crt'), 'rubbish');
  await expect(ensurePki(folder)).rejects.toThrow();
});

test('a kubeconfig carries everything and names its server', async () => {
  await ensurePki(folder);
  const config = load(kubeconfig(folder, 'admin', 'https://127.0.0.1:6443')) as {
    clusters: { cluster: Record<string, string> }[];
    users: { user: Record<string, string> }[];
  };
  expect(config.clusters[0]?.cluster['server']).toBe('https://127.0.0.1:6443');
  const decoded = Buffer.from(config.users[0]?.user['client-key-data'] ?? '', 'base64').toString();
  expect(decoded).toBe(readFileSync(join(folder, 'admin.key'), 'utf8'));
});
