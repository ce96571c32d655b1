import { describe, expect, it } from 'vitest';
import type { Container, Pod, PodSpec } from '../pod.ts';
import { violationsOf } from '../validation/validate.ts';
import { csvRecord } from './csv.ts';
import { irsaPatch } from './patch.ts';

const ROLE = 'arn:aws:iam::111122223333:role/reader';
const ACCOUNT = { 'eks.amazonaws.com/role-arn': ROLE };
const DEFAULTS = { region: 'eu-central-1', regionalSts: true };

const pod = (spec: Partial<PodSpec> = {}, metadata: Pod['metadata'] = {}): Pod => ({
  metadata,
  spec: { containers: [{ name: 'c', image: 'i' }], ...spec },
});

const ENV =
  '{"name":"AWS_STS_REGIONAL_ENDPOINTS","value":"regional"},{"name":"AWS_DEFAULT_REGION","value":"eu-central-1"},' +
  `{"name":"AWS_REGION","value":"eu-central-1"},{"name":"AWS_ROLE_ARN","value":"${ROLE}"},` +
  '{"name":"AWS_WEB_IDENTITY_TOKEN_FILE","value":"/var/run/secrets/eks.amazonaws.com/serviceaccount/token"}';
const MOUNT =
  '{"name":"aws-iam-token","readOnly":true,"mountPath":"/var/run/secrets/eks.amazonaws.com/serviceaccount"}';
const volume = (seconds = 86400, audience = 'sts.amazonaws.com'): string =>
  `{"name":"aws-iam-token","projected":{"sources":[{"serviceAccountToken":{"audience":"${audience}","expirationSeconds":${seconds},"path":"token"}}]}}`;

const bytes = (p: Pod, account: Record<string, string> = ACCOUNT, defaults = DEFAULTS): string =>
  JSON.stringify(irsaPatch(p, account, defaults));

const containersOf = (p: Pod, account?: Record<string, string>, defaults?: typeof DEFAULTS): Container[] =>
  JSON.parse(bytes(p, account, defaults)).find((op: { path: string }) => op.path === '/spec/containers')
    .value;

const names = (container: Container | undefined): string[] => (container?.env ?? []).map(({ name }) => name);

describe('irsaPatch', () => {
  it('is byte for byte what the upstream webhook writes', () => {
    const p = pod({
      containers: [{ name: 'c', image: 'i', securityContext: { runAsUser: 1 } }],
      initContainers: [{ name: 's', image: 'i', restartPolicy: 'Always' }],
    });
    expect(bytes(p)).toBe(
      `[{"op":"add","path":"/spec/volumes","value":[${volume()}]},` +
        `{"op":"add","path":"/spec/containers","value":[{"name":"c","image":"i","env":[${ENV}],"resources":{},"volumeMounts":[${MOUNT}],"securityContext":{"runAsUser":1}}]},` +
        `{"op":"add","path":"/spec/initContainers","value":[{"name":"s","image":"i","env":[${ENV}],"resources":{},"restartPolicy":"Always","volumeMounts":[${MOUNT}]}]}]`,
    );
  });

  it('adds nothing that Fargate does not support', () => {
    const volumes = [JSON.parse(volume())];
    expect(violationsOf(pod({ volumes }))).toEqual([]);
  });

  it('puts the volume first among others', () => {
    expect(irsaPatch(pod({ volumes: [{ name: 'v', emptyDir: {} }] }), ACCOUNT, DEFAULTS)[0]).toEqual({
      op: 'add',
      path: '/spec/volumes/0',
      value: JSON.parse(volume()),
    });
    expect(irsaPatch(pod({ volumes: [] }), ACCOUNT, DEFAULTS)[0]?.path).toBe('/spec/volumes/0');
  });

  it('does nothing without a role, or for a pod that is labelled to be skipped', () => {
    expect(bytes(pod(), {})).toBe('[]');
    expect(bytes(pod(), { 'eks.amazonaws.com/role-arn': '' })).toBe('[]');
    expect(bytes(pod({}, { labels: { 'eks.amazonaws.com/skip-pod-identity-webhook': '' } }))).toBe('[]');
  });

  it.each<[string, Record<string, string>, Record<string, string>, number]>([
    ['default', {}, {}, 86400],
    ['service account', { 'eks.amazonaws.com/token-expiration': '3600' }, {}, 3600],
    [
      'pod over service account',
      { 'eks.amazonaws.com/token-expiration': '3600' },
      { 'eks.amazonaws.com/token-expiration': '7200' },
      7200,
    ],
    ['raised to the least', { 'eks.amazonaws.com/token-expiration': '60' }, {}, 600],
    [
      'nonsense',
      { 'eks.amazonaws.com/token-expiration': '3600' },
      { 'eks.amazonaws.com/token-expiration': '1h' },
      3600,
    ],
  ])('token life: %s', (_, account, annotations, seconds) => {
    expect(bytes(pod({}, { annotations }), { ...ACCOUNT, ...account })).toContain(volume(seconds));
  });

  it('takes audience and STS endpoints from the service account', () => {
    const account = {
      ...ACCOUNT,
      'eks.amazonaws.com/audience': 'me',
      'eks.amazonaws.com/sts-regional-endpoints': 'false',
    };
    expect(bytes(pod(), account)).toContain(volume(86400, 'me'));
    expect(names(containersOf(pod(), account)[0])).not.toContain('AWS_STS_REGIONAL_ENDPOINTS');
    const on = { ...ACCOUNT, 'eks.amazonaws.com/sts-regional-endpoints': 'true' };
    const off = { regionalSts: false, region: '' };
    expect(names(containersOf(pod(), on, off)[0])).toEqual([
      'AWS_STS_REGIONAL_ENDPOINTS',
      'AWS_ROLE_ARN',
      'AWS_WEB_IDENTITY_TOKEN_FILE',
    ]);
  });

  it.each<[string, string[], string[]]>([
    [
      'a region',
      ['AWS_REGION'],
      ['AWS_REGION', 'AWS_STS_REGIONAL_ENDPOINTS', 'AWS_ROLE_ARN', 'AWS_WEB_IDENTITY_TOKEN_FILE'],
    ],
    [
      'a default region',
      ['AWS_DEFAULT_REGION'],
      ['AWS_DEFAULT_REGION', 'AWS_STS_REGIONAL_ENDPOINTS', 'AWS_ROLE_ARN', 'AWS_WEB_IDENTITY_TOKEN_FILE'],
    ],
    [
      'a role',
      ['AWS_ROLE_ARN'],
      ['AWS_ROLE_ARN', 'AWS_STS_REGIONAL_ENDPOINTS', 'AWS_DEFAULT_REGION', 'AWS_REGION'],
    ],
    [
      'a token file and STS',
      ['AWS_WEB_IDENTITY_TOKEN_FILE', 'AWS_STS_REGIONAL_ENDPOINTS'],
      ['AWS_WEB_IDENTITY_TOKEN_FILE', 'AWS_STS_REGIONAL_ENDPOINTS', 'AWS_DEFAULT_REGION', 'AWS_REGION'],
    ],
  ])('keeps what the container has: %s', (_, given, expected) => {
    const env = given.map((name) => ({ name, value: 'mine' }));
    const [container] = containersOf(pod({ containers: [{ name: 'c', env }] }));
    expect(names(container)).toEqual(expected);
    expect(container?.volumeMounts).toHaveLength(1);
  });

  it('leaves a container alone that has everything', () => {
    const env = ['AWS_ROLE_ARN', 'AWS_REGION', 'AWS_STS_REGIONAL_ENDPOINTS'].map((name) => ({
      name,
      value: 'x',
    }));
    expect(containersOf(pod({ containers: [{ name: 'c', env }] }))).toEqual([
      { name: 'c', env, resources: {} },
    ]);
  });

  it('keeps a volume and a mount of that name', () => {
    const volumeMounts = [{ name: 'aws-iam-token', mountPath: '/mine' }];
    const p = pod({
      containers: [{ name: 'c', volumeMounts }],
      volumes: [{ name: 'aws-iam-token', emptyDir: {} }],
    });
    expect(bytes(p)).not.toContain('/spec/volumes');
    expect(containersOf(p)[0]?.volumeMounts).toEqual(volumeMounts);
  });

  it('skips containers by name', () => {
    const annotations = { 'eks.amazonaws.com/skip-containers': 'a,c' };
    const p = pod({ containers: [{ name: 'a' }, { name: 'b' }, { name: 'c' }] }, { annotations });
    expect(containersOf(p).map((one) => names(one).length)).toEqual([0, 5, 0]);
  });
});

describe('csvRecord', () => {
  it.each<[string, string[] | undefined]>([
    ['', undefined],
    ['a', ['a']],
    ['a,b', ['a', 'b']],
    ['a, b', ['a', ' b']],
    ['"a,b",c', ['a,b', 'c']],
    ['"a""b"', ['a"b']],
    ['a,', ['a', '']],
    ['a\nb', ['a']],
    ['\na', ['a']],
    ['a"b', undefined],
    ['"a', undefined],
  ])('%j', (text, expected) => {
    expect(csvRecord(text)).toEqual(expected);
  });
});
