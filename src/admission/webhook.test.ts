import 'reflect-metadata';
import { webcrypto } from 'node:crypto';
import * as x509 from '@peculiar/x509';
import fc from 'fast-check';
import { pino } from 'pino';
import { Agent, request } from 'undici';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { FargateProfile } from '../api/fargate-profile.ts';
import type { MicroVM } from '../api/micro-vm.ts';
import type { ServiceAccount } from '../api/resources.ts';
import type { Subnet } from '../api/subnet.ts';
import type { Places } from '../core/placement/subnets.ts';
import { ApiError, type KubeClient } from '../kube/client.ts';
import { accountFrom } from './accounts.ts';
import { identitiesFrom } from './identities.ts';
import { profileReviewer } from './profiles.ts';
import { admissionServer } from './webhook.ts';

const profile = (
  name: string,
  namespace = name,
  policy?: FargateProfile['spec']['policy'],
): FargateProfile => ({
  metadata: { name },
  spec: { selectors: [{ namespace }], ...(policy ? { policy } : {}) },
});

/** A self-signed certificate for 127.0.0.1. */
const selfSigned = async () => {
  x509.cryptoProvider.set(webcrypto);
  const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    name: 'CN=test',
    notAfter: new Date(Date.now() + 3_600_000),
    keys,
    signingAlgorithm: algorithm,
    extensions: [new x509.SubjectAlternativeNameExtension([{ type: 'ip', value: '127.0.0.1' }])],
  });
  const pkcs8 = await webcrypto.subtle.exportKey('pkcs8', keys.privateKey);
  return { certificate: certificate.toString('pem'), key: x509.PemConverter.encode(pkcs8, 'PRIVATE KEY') };
};

const SUBNETS: Subnet[] = [
  { metadata: { name: 'a' }, spec: { cidr: '10.0.0.0/24', zone: 'z', type: 'private' } },
  { metadata: { name: 'p' }, spec: { cidr: '10.0.1.0/24', zone: 'z', type: 'public' } },
];

const account = (name: string, annotations?: Record<string, string>): ServiceAccount => ({
  metadata: { namespace: 'prod', name, ...(annotations ? { annotations } : {}) },
});
const READER = account('reader', { 'eks.amazonaws.com/role-arn': 'arn:aws:iam::111122223333:role/reader' });

/** Service accounts as a watch has brought them, and one more as the API server has them. */
const accounts = new Map([READER, account('default')].map((one) => [`prod/${one.metadata.name}`, one]));
const stored = new Map([...accounts, ['prod/new', account('new', READER.metadata.annotations)]]);
const apiServer = {
  get: async (_: unknown, { namespace, name }: { readonly namespace?: string; readonly name: string }) => {
    const found = stored.get(`${namespace}/${name}`);
    if (found === undefined) throw new ApiError('GET', { status: 404, reason: 'NotFound' });
    return found;
  },
} as unknown as KubeClient;

/** A machine of profile `open`. */
const MACHINE: MicroVM = {
  metadata: { name: 'vm-u1' },
  spec: {
    pod: { namespace: 'prod', name: 'web', uid: 'u1' },
    profile: 'open',
    size: { milliCpu: 250, memoryMiB: 512, storageGiB: 20 },
    placement: { subnet: 'a', zone: 'z', region: 'r', address: '10.0.0.4' },
    securityGroups: [],
    image: 'i',
  },
};

const state: { profiles: readonly FargateProfile[]; elsewhere: boolean } = { profiles: [], elsewhere: false };
const profiles = (): readonly FargateProfile[] => state.profiles;

let server: ReturnType<typeof admissionServer>;
let base = '';
let agent: Agent;

beforeAll(async () => {
  const tls = await selfSigned();
  server = admissionServer({
    profiles,
    subnets: () => SUBNETS,
    maxProfiles: 3,
    vpc: async () => ({ subnets: SUBNETS, network: undefined }),
    identities: identitiesFrom({
      account: accountFrom(apiServer, { get: (key) => accounts.get(key) }),
      webhooks: { get: (name) => (state.elsewhere ? { metadata: { name } } : undefined) },
      defaults: { regionalSts: true },
    }),
    microVM: (name) => (name === 'vm-u1' ? MACHINE : undefined),
    tls,
    log: pino({ level: 'silent' }),
  });
  base = await server.listen({ host: '127.0.0.1', port: 0 });
  agent = new Agent({ connect: { ca: tls.certificate } });
});

afterAll(async () => {
  await agent.close();
  await server.close();
});

const post = async (path: string, body: unknown) => {
  const response = await request(base + path, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: typeof body === 'string' ? body : JSON.stringify(body),
    dispatcher: agent,
  });
  // biome-ignore format: one line says it
  return { code: response.statusCode, body: (await response.body.json()) as Record<string, unknown> & { message?: string; response?: Review } };
};

interface Review {
  uid: string;
  allowed: boolean;
  patchType?: string;
  patch?: string;
  warnings?: string[];
  status?: { code: number; message: string };
}

const review = (object: unknown, more: Record<string, unknown> = {}) => ({
  apiVersion: 'admission.k8s.io/v1',
  kind: 'AdmissionReview',
  request: { uid: 'r1', operation: 'CREATE', namespace: 'prod', object, ...more },
});

const patchOf = ({ response }: { response?: Review }): { path: string }[] =>
  JSON.parse(Buffer.from(response?.patch ?? '', 'base64').toString());

const POD = { metadata: { name: 'web' }, spec: { containers: [{ name: 'c' }] } };

describe('POST /mutate', () => {
  it('patches a pod that a profile matches', async () => {
    state.profiles = [profile('prod')];
    const { code, body } = await post('/mutate', review(POD));
    expect(code).toBe(200);
    expect(body).toMatchObject({
      apiVersion: 'admission.k8s.io/v1',
      kind: 'AdmissionReview',
      response: { uid: 'r1', allowed: true, patchType: 'JSONPatch' },
    });
    const patch = patchOf(body);
    expect(patch[0]).toEqual({
      op: 'add',
      path: '/metadata/labels',
      value: { 'eks.amazonaws.com/fargate-profile': 'prod' },
    });
    expect(patch).toHaveLength(5);
  });

  it('follows profiles as they change', async () => {
    state.profiles = [profile('other')];
    expect((await post('/mutate', review(POD))).body.response).toEqual({ uid: 'r1', allowed: true });
    state.profiles = [profile('prod')];
    expect((await post('/mutate', review(POD))).body.response?.patchType).toBe('JSONPatch');
  });

  it('warns with the scheduler’s text', async () => {
    state.profiles = [profile('prod')];
    const pod = { ...POD, spec: { ...POD.spec, hostNetwork: true } };
    const { body } = await post('/mutate', review(pod));
    expect(body.response).toMatchObject({
      allowed: true,
      warnings: ['Pod not supported on Fargate: fields not supported: HostNetwork'],
    });
  });

  it('refuses where the profile says so', async () => {
    state.profiles = [profile('firm', 'prod', { reject: true })];
    const pod = { ...POD, spec: { ...POD.spec, hostNetwork: true } };
    expect((await post('/mutate', review(pod))).body.response).toEqual({
      uid: 'r1',
      allowed: false,
      status: {
        code: 403,
        reason: 'Forbidden',
        message: 'Pod not supported on Fargate: fields not supported: HostNetwork',
      },
    });
  });

  it.each([
    ['gives', 'reader', false, 7],
    ['leaves to the upstream webhook', 'reader', true, 5],
    ['does not give to other accounts', 'default', false, 5],
  ])('the role of a service account: %s', async (_, serviceAccountName, elsewhere, operations) => {
    state.profiles = [profile('prod')];
    state.elsewhere = elsewhere;
    const { body } = await post('/mutate', review({ ...POD, spec: { ...POD.spec, serviceAccountName } }));
    expect(patchOf(body)).toHaveLength(operations);
  });

  it.each([
    ['asks for one that no watch has brought yet', 'new', 7],
    ['does without one that does not exist', 'never', 5],
  ])('a service account: %s', async (_, serviceAccountName, operations) => {
    state.profiles = [profile('prod')];
    state.elsewhere = false;
    const { body } = await post('/mutate', review({ ...POD, spec: { ...POD.spec, serviceAccountName } }));
    expect(patchOf(body)).toHaveLength(operations);
  });

  it('looks at creations only', async () => {
    state.profiles = [profile('prod')];
    const { body } = await post('/mutate', review(POD, { operation: 'UPDATE' }));
    expect(body.response).toEqual({ uid: 'r1', allowed: true });
  });

  it.each([
    ['no JSON', '{', 'JSON'],
    ['no review', {}, 'apiVersion'],
    ['another version', { ...review(POD), apiVersion: 'admission.k8s.io/v1beta1' }, 'apiVersion'],
    ['no request', { ...review(POD), request: undefined }, 'request'],
    ['no uid', review(POD, { uid: '' }), 'uid'],
    ['no object', review(null), 'object'],
    ['no spec', review({ metadata: {} }), 'spec'],
  ])('answers 400 to %s', async (_, body, word) => {
    const answer = await post('/mutate', body);
    expect(answer.code).toBe(400);
    expect(answer.body.message).toMatch(/^not an AdmissionReview of admission.k8s.io\/v1: /);
    expect(answer.body.message).toContain(word);
  });

  it('takes a pod as large as the API server does, in the long form in which that writes it', async () => {
    state.profiles = [profile('prod')];
    // Go writes <, > and & in six bytes each (encoding/json, "HTMLEscape").
    const value = '<'.repeat(3 * 1024 * 1024 - 1024);
    const pod = { ...POD, spec: { containers: [{ name: 'c', env: [{ name: 'V', value }] }] } };
    const { code, body } = await post(
      '/mutate',
      JSON.stringify(review(pod)).replaceAll('<', String.raw`\u003c`),
    );
    expect(code).toBe(200);
    expect(patchOf(body)).toHaveLength(5);
  });

  it('lets a pod through with a warning when something breaks inside', async () => {
    state.profiles = [profile('prod')];
    const pod = { ...POD, spec: { containers: [{ name: 'c', resources: { requests: { cpu: 'many' } } }] } };
    const { code, body } = await post('/mutate', review(pod));
    expect(code).toBe(200);
    expect(body.response).toEqual({
      uid: 'r1',
      allowed: true,
      warnings: [
        'Cloister could not look at this pod and has left it to its scheduler: "many" is not a quantity: ' +
          'write a number with an optional suffix, such as 250m, 1.5 or 512Mi',
      ],
    });
  });

  it('never fails, whatever the object is', async () => {
    state.profiles = [profile('prod')];
    const field = fc.constantFrom(
      'containers',
      'initContainers',
      'volumes',
      'overhead',
      'resources',
      'nodeSelector',
      'affinity',
      'schedulerName',
      'nodeName',
      'resourceClaims',
      'hostNetwork',
    );
    const meta = fc.constantFrom('labels', 'annotations', 'ownerReferences', 'namespace', 'name');
    await fc.assert(
      fc.asyncProperty(
        fc.dictionary(meta, fc.jsonValue()),
        fc.dictionary(field, fc.jsonValue()),
        async (metadata, spec) => {
          const payload = review({ metadata, spec });
          const { statusCode, body } = await server.inject({ method: 'POST', url: '/mutate', payload });
          expect(statusCode).toBe(200);
          expect(JSON.parse(body).response.allowed).toBe(true);
        },
      ),
      { numRuns: 2000 },
    );
  }, 30_000);
});

describe('POST /validate/profiles', () => {
  const ask = async (name: string, spec: unknown, operation = 'CREATE') =>
    (await post('/validate/profiles', review({ metadata: { name }, spec }, { name, operation }))).body
      .response;

  it('counts profiles', async () => {
    state.profiles = [profile('x'), profile('y')];
    expect(await ask('z', { selectors: [] })).toEqual({ uid: 'r1', allowed: true });
    state.profiles = [profile('x'), profile('y'), profile('z')];
    expect(await ask('w', { selectors: [] })).toMatchObject({
      allowed: false,
      status: {
        message: 'The cluster has 3 Fargate profiles, and 3 is the limit. Delete one, or raise the limit.',
      },
    });
    expect(await ask('z', { selectors: [] }, 'UPDATE')).toMatchObject({ allowed: true });
  });

  it.each([
    [['a'], undefined],
    [['p'], 'Subnet p provided in Fargate Profile is not a private subnet'],
    [['a', 'x'], 'Subnet x provided in Fargate Profile does not exist'],
  ])('judges subnets %j', async (subnets, message) => {
    state.profiles = [];
    const answer = await ask('n', { selectors: [], subnets });
    expect(answer?.status?.message).toBe(message);
    expect(answer?.allowed).toBe(message === undefined);
  });
});

describe('POST /validate/subnets', () => {
  it.each([
    ['10.0.2.0/24', undefined],
    [
      '10.0.1.128/25',
      "An error occurred (InvalidSubnet.Conflict) when calling the CreateSubnet operation: The CIDR '10.0.1.128/25' conflicts with another subnet: p (10.0.1.0/24)",
    ],
  ])('judges %s', async (cidr, message) => {
    const object = { metadata: { name: 'n' }, spec: { cidr, zone: 'z', type: 'private' } };
    const { body } = await post('/validate/subnets', review(object, { name: 'n' }));
    expect(body.response?.status?.message).toBe(message);
    expect(body.response?.allowed).toBe(message === undefined);
  });
});

describe('profileReviewer', () => {
  const spec = { selectors: [{ namespace: 'n' }] };
  const REGION_TEXT = 'Fargate Profile creation in the Region us-gov-west-1 is not supported';
  it.each<[string, { region: string; places: Places }, readonly string[], string | undefined]>([
    ['a region that is off by default', { region: 'us-gov-west-1', places: {} }, ['a'], REGION_TEXT],
    ['the same without subnets', { region: 'us-gov-west-1', places: {} }, [], REGION_TEXT],
    [
      'the same when it is allowed',
      { region: 'us-gov-west-1', places: { regions: ['us-gov-west-1'] } },
      ['a'],
      undefined,
    ],
    [
      'a zone that is not listed',
      { region: 'r', places: { zones: ['y'] } },
      ['a'],
      'Fargate Profile creation for the Availability Zone z for Subnet a is not supported',
    ],
  ])('judges %s', async (_, { region, places }, subnets, message) => {
    const world = { profiles: () => [], subnets: () => SUBNETS, places: () => places };
    const judge = profileReviewer({ ...world, region });
    const object = { metadata: {}, spec: { ...spec, subnets } };
    const answer = await judge({ uid: 'u', operation: 'CREATE', name: 'n', object });
    expect([answer.allowed, answer.status?.message]).toEqual([message === undefined, message]);
  });
});

describe('POST /validate/ephemeralcontainers', () => {
  const PLAIN = { name: 'debug', image: 'i' };
  const ROOT = { ...PLAIN, name: 'root', securityContext: { privileged: true } };
  const TRACER = { ...PLAIN, name: 'tracer', securityContext: { capabilities: { add: ['SYS_PTRACE'] } } };
  const ask = async (uid: string, labels: object, now: readonly object[], before: readonly object[] = []) => {
    const pod = (ephemeralContainers: readonly object[]) => ({
      metadata: { name: 'web', uid, labels },
      spec: { containers: [{ name: 'c' }], ephemeralContainers },
    });
    const more = { operation: 'UPDATE', name: 'web', oldObject: pod(before) };
    return (await post('/validate/ephemeralcontainers', review(pod(now), more))).body.response;
  };
  const labelled = { 'eks.amazonaws.com/fargate-profile': 'open' };

  it.each<[string, string, object, object[], object[], string | undefined]>([
    ['a plain one', 'u', {}, [PLAIN], [], undefined],
    ['a privileged one', 'u', {}, [ROOT], [], 'invalid SecurityContext fields: Privileged'],
    [
      'each of several',
      'u',
      {},
      [ROOT, TRACER],
      [],
      'invalid SecurityContext fields: Privileged, invalid SecurityContext fields: Capabilities added: SYS_PTRACE',
    ],
    [
      'one with a block device',
      'u',
      {},
      [{ ...PLAIN, volumeDevices: [{ name: 'v', devicePath: '/d' }] }],
      [],
      'volumeDevices not supported',
    ],
    [
      'one with a host port and more',
      'u',
      {},
      [{ ...ROOT, ports: [{ containerPort: 80, hostPort: 80 }] }],
      [],
      'invalid SecurityContext fields: Privileged, port contains HostIP or HostPort',
    ],
    ['one that is there already', 'u', {}, [ROOT, PLAIN], [ROOT], undefined],
    [
      'what the profile of its label allows, before it has a machine',
      'u',
      labelled,
      [ROOT],
      [],
      'invalid SecurityContext fields: Privileged',
    ],
    ['what the profile of its machine allows', 'u1', {}, [ROOT], [], undefined],
    [
      'what that profile does not allow',
      'u1',
      {},
      [TRACER],
      [],
      'invalid SecurityContext fields: Capabilities added: SYS_PTRACE',
    ],
  ])('%s', async (_, uid, labels, now, before, message) => {
    state.profiles = [profile('open', 'prod', { privileged: true })];
    const answer = await ask(uid, labels, now, before);
    expect(answer?.status?.message).toBe(message);
    expect(answer?.allowed).toBe(message === undefined);
  });

  it('allows nothing beyond the original when the profile is gone', async () => {
    state.profiles = [];
    expect(await ask('u1', labelled, [ROOT])).toMatchObject({ allowed: false });
  });
});

describe('GET /healthz', () => {
  it('keeps idle connections for longer than API servers do', async () => {
    const { headers, body } = await request(`${base}/healthz`, { dispatcher: agent });
    await body.dump();
    expect(Number(/^timeout=(\d+)$/.exec(String(headers['keep-alive']))?.[1])).toBeGreaterThan(90);
  });

  it('keeps connections that were never used as long, and waits for no request for ever', () => {
    expect(server.server.headersTimeout).toBeGreaterThan(90_000);
    expect(server.server.requestTimeout).toBe(server.server.headersTimeout);
  });

  it('says ok', async () => {
    const { statusCode, body } = await request(`${base}/healthz`, { dispatcher: agent });
    expect([statusCode, await body.text()]).toEqual([200, 'ok']);
  });
});
