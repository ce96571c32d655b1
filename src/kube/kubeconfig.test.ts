import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { authorization } from './credentials.ts';
import { loadKubeconfig } from './kubeconfig.ts';

const base64 = (text: string): string => Buffer.from(text).toString('base64');

const kubeconfig = (fields: { cluster?: string; user?: string; current?: string }): string => `
apiVersion: v1
kind: Config
current-context: ${fields.current ?? 'here'}
clusters:
- name: other
  cluster: {server: https://other}
- name: c
  cluster: {${fields.cluster ?? 'server: https://127.0.0.1:6443'}}
contexts:
- name: here
  context: {cluster: c, user: u}
- name: nowhere
  context: {cluster: missing, user: u}
users:
- name: u
  user: {${fields.user ?? 'token: secret'}}
`;

describe('loadKubeconfig', () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'cloister-kubeconfig-'));
    for (const name of ['ca', 'crt', 'key', 'token']) writeFileSync(join(folder, name), `content of ${name}`);
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  const load = (text: string) => {
    const path = join(folder, 'config');
    writeFileSync(path, text);
    return loadKubeconfig(path);
  };

  it('reads inline data', () => {
    const config = load(
      kubeconfig({
        cluster: `server: https://api/k8s, certificate-authority-data: ${base64('CA')}, tls-server-name: kubernetes`,
        user: `client-certificate-data: ${base64('CRT')}, client-key-data: ${base64('KEY')}`,
      }),
    );
    expect(config).toEqual({
      server: 'https://api/k8s',
      serverName: 'kubernetes',
      ca: 'CA',
      certificate: 'CRT',
      key: 'KEY',
    });
  });

  it('reads files, relative to its own folder or absolute', () => {
    const config = load(
      kubeconfig({
        cluster: 'server: https://api, certificate-authority: ./ca',
        user: `client-certificate: crt, client-key: ${join(folder, 'key')}`,
      }),
    );
    expect(config).toMatchObject({
      ca: 'content of ca',
      certificate: 'content of crt',
      key: 'content of key',
    });
  });

  it('reads tokens', () => {
    expect(load(kubeconfig({})).token).toBe('secret');
    expect(load(kubeconfig({ user: 'tokenFile: token' })).tokenFile).toBe(join(folder, 'token'));
  });

  it.each<[string, string, RegExp]>([
    ['no such context', kubeconfig({ current: 'absent' }), /config: there is no context named "absent"/],
    ['no such cluster', kubeconfig({ current: 'nowhere' }), /there is no cluster named "missing"/],
    ['no server', kubeconfig({ cluster: 'server: ""' }), /the cluster has no valid `server` URL/],
    ['a plug-in', kubeconfig({ user: 'exec: {command: aws}' }), /`exec` of the user is not supported/],
    [
      'unverified TLS',
      kubeconfig({ cluster: 'server: https://a, insecure-skip-tls-verify: true' }),
      /`insecure-skip-tls-verify` of the cluster is not supported/,
    ],
    ['a missing file', kubeconfig({ user: 'client-key: absent' }), /no such file.*absent/],
    ['a number', kubeconfig({ user: 'token: 12' }), /`token` is not a text/],
    ['no fields', '- a list', /the file has no fields/],
    ['no YAML', '{', /kubeconfig .*config: /],
  ])('says what is wrong: %s', (_, text, message) => {
    expect(() => load(text)).toThrow(message);
  });

  it('says which file is missing', () => {
    expect(() => loadKubeconfig(join(folder, 'none'))).toThrow(/kubeconfig .*none: ENOENT/);
  });

  it('rereads a token file once a minute', () => {
    const file = join(folder, 'renewed');
    let now = 0;
    const header = authorization({ server: 'https://a', tokenFile: file }, () => now);
    writeFileSync(file, 'one\n');
    expect(header()).toBe('Bearer one');
    writeFileSync(file, 'two\n');
    expect(header()).toBe('Bearer one');
    now = 60_000;
    expect(header()).toBe('Bearer two');
  });
});
