import { expect, it } from 'vitest';
import { credentialsOf, type PullSecret } from './pulls.ts';

const ROLE = 'arn:aws:iam::111122223333:role/pods';

const secret = (auths: object | undefined, annotations: Record<string, string> = {}): PullSecret => ({
  metadata: { annotations: { 'eks.amazonaws.com/role-arn': ROLE, ...annotations } },
  data: { '.dockerconfigjson': Buffer.from(JSON.stringify({ auths })).toString('base64') },
});
const both = { username: 'me', password: 'pass:word' };
const auth = Buffer.from('me:pass:word').toString('base64');

it.each<[string, object | undefined, readonly string[]]>([
  ['a host and port', { 'registry.example:5000': both }, ['registry.example:5000']],
  ['name and password in one', { 'registry.example': { auth } }, ['registry.example']],
  ['a URL', { 'https://registry.example/v2/': both }, ['registry.example']],
  ['Docker Hub', { 'https://index.docker.io/v1/': both }, ['docker.io']],
  ['several', { a: both, b: { auth } }, ['a', 'b']],
  ['none', {}, []],
  ['nothing', undefined, []],
])('a Secret with %s', (_, auths, hosts) => {
  expect(credentialsOf(ROLE, [secret(auths)])).toEqual(hosts.map((host) => ({ host, ...both })));
});

it('counts for the role that it names alone, and tells where the registry is', () => {
  const endpoint = 'http://10.0.0.1:5001';
  const secrets = [
    secret({ a: both }, { 'eks.amazonaws.com/role-arn': `${ROLE}-2` }),
    { metadata: {} },
    secret({ b: both }, { 'cloister.dev/registry-endpoint': endpoint }),
  ];
  expect(credentialsOf(ROLE, secrets)).toEqual([{ host: 'b', ...both, endpoint }]);
});
