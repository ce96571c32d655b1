import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
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
    ['a plugin without a command', kubeconfig({ user: 'exec: {}' }), /`exec` names no command/],
    ['a way to log in', kubeconfig({ user: 'username: a' }), /`username` of the user is not supported/],
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

  describe('with a credential plugin', () => {
    const user = (script: string, more = ''): string => {
      writeFileSync(join(folder, 'plugin'), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
      return kubeconfig({
        user: `exec: {apiVersion: client.authentication.k8s.io/v1beta1, command: ./plugin, args: [get, token]${more}}`,
      });
    };
    const printing = (status: object): string =>
      `echo '${JSON.stringify({ kind: 'ExecCredential', status })}'`;

    it('asks it with its arguments, variables and what kubectl tells it', () => {
      const config = load(
        user(
          `echo "$0 $* $REGION $KUBERNETES_EXEC_INFO" >'${folder}/asked'; ${printing({ token: 'secret' })}`,
          ', env: [{name: REGION, value: local-1}]',
        ),
      );
      expect(authorization(config)()).toBe('Bearer secret');
      expect(readFileSync(join(folder, 'asked'), 'utf8').trim()).toBe(
        `${join(folder, 'plugin')} get token local-1 ` +
          '{"apiVersion":"client.authentication.k8s.io/v1beta1","kind":"ExecCredential","spec":{"interactive":false}}',
      );
    });

    it('asks it again a minute before the token ends, and not before', () => {
      const status = {
        token: 'secret',
        expirationTimestamp: new Date(Date.now() + 14 * 60_000).toISOString(),
      };
      let now = 0;
      const header = authorization(
        load(user(`echo again >>'${folder}/times'; ${printing(status)}`)),
        () => now,
      );
      const times = () => readFileSync(join(folder, 'times'), 'utf8').trim().split('\n').length;
      header();
      now = 12 * 60_000;
      header();
      expect(times()).toBe(1);
      now = 13 * 60_000;
      header();
      expect(times()).toBe(2);
    });

    it.each([
      ['it fails', 'echo no network >&2; exit 3', /plugin get token ended with code 3: no network/],
      ['it prints something else', 'echo hello', /plugin get token prints no ExecCredential with a token/],
      ['it gives no token', printing({}), /prints no ExecCredential with a token/],
      [
        'its token has no right end',
        printing({ token: 't', expirationTimestamp: 'soon' }),
        /prints no time as the end of its token/,
      ],
    ])('says so when %s', (_, script, message) => {
      expect(() => authorization(load(user(script)))()).toThrow(message);
    });

    it('says so when there is none', () => {
      const config = load(kubeconfig({ user: 'exec: {command: no-such-plugin}' }));
      expect(() => authorization(config)()).toThrow(/plugin no-such-plugin does not run: .*ENOENT/);
    });
  });
});
