/** Balancers on a real API server and a real HAProxy; pods are tiny servers in namespaces of the run. */
import { existsSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ingressClass } from '../../src/api/manifests/balancing.ts';
import {
  endpointSlices,
  events,
  ingressClasses,
  ingresses,
  namespaces,
  pods,
  secrets,
  serviceAccounts,
  services,
  validatingAdmissionPolicyBindings,
} from '../../src/api/resources.ts';
import { proxyProgram } from '../../src/cluster/packages.ts';
import { makeBalancerNetwork } from '../../src/compute/local/balancer.ts';
import { ask } from '../../src/compute/local/command-socket.ts';
import { parseServerStates } from '../../src/compute/render/haproxy.ts';
import { cacheFolder } from '../../src/host/folders.ts';
import { livePid } from '../../src/host/process.ts';
import { until } from '../../src/host/wait.ts';
import { applyManifests, createOnce } from '../../src/kube/apply.ts';
import { isNotFound, isRefusal, type KubeClient } from '../../src/kube/client.ts';
import { type Beside, makeStage, type Stage } from '../support/balanced.ts';
import { type Identity, makeServing, WEAK } from '../support/pki.ts';
import { startProduct, type TestProduct } from '../support/product.ts';

const NS = 'shop';
/** Room for three balancers: the first four addresses and the last are not given out. */
const CIDR = '10.42.2.0/29';
const POD = ['10.42.64.11', '10.42.64.12', '10.42.64.13'] as const;
const NLB = 'service.beta.kubernetes.io/aws-load-balancer';
const IP_TARGETS = { [`${NLB}-type`]: 'external', [`${NLB}-nlb-target-type`]: 'ip' };
/** Checks as often as the original allows, so that the tests need not wait. */
const QUICK = { [`${NLB}-healthcheck-interval`]: '5', [`${NLB}-healthcheck-healthy-threshold`]: '2' };

let stage: Stage;
let product: TestProduct;
let client: KubeClient;
const folder = mkdtempSync(join(tmpdir(), 'cloister-balancing-'));
const servers = new Map<string, Beside>();

beforeAll(async () => {
  stage = await makeStage(`bal${process.pid}`);
  await makeBalancerNetwork({
    router: stage.router,
    namespace: stage.balancer,
    address: '10.42.2.1',
    cidr: CIDR,
  });
  product = await startProduct({
    balancing: {
      cidr: CIDR,
      namespace: stage.balancer,
      directory: folder,
      ...(await proxyProgram(cacheFolder())),
    },
  });
  client = product.client;
  const labels = { 'elbv2.k8s.aws/pod-readiness-gate-inject': 'enabled' };
  await client.create(namespaces, { metadata: { name: NS, labels } });
  for (const [index, address] of POD.entries())
    servers.set(address, await stage.serve(address, `pod-${index}`));
}, 120_000);

afterAll(async () => {
  await product?.stop();
  await stage?.remove();
  rmSync(folder, { recursive: true });
}, 60_000);

/** A Service of class nlb without a selector: its slices are written by hand. */
const service = (name: string, annotations: Record<string, string> = { ...IP_TARGETS, ...QUICK }) => ({
  apiVersion: 'v1' as const,
  kind: 'Service' as const,
  metadata: { namespace: NS, name, annotations },
  spec: { type: 'LoadBalancer', ports: [{ name: 'web', port: 80, targetPort: 8080 }] },
});

interface Conditions {
  readonly ready?: boolean;
  readonly terminating?: boolean;
}

/** Writes the one slice of a Service: addresses with their conditions. */
const endpoints = async (name: string, of: Readonly<Record<string, Conditions>>, pod?: string) => {
  const slice = {
    apiVersion: 'discovery.k8s.io/v1' as const,
    kind: 'EndpointSlice' as const,
    metadata: { namespace: NS, name, labels: { 'kubernetes.io/service-name': name } },
    addressType: 'IPv4',
    ports: [{ name: 'web', port: 8080, protocol: 'TCP' }],
    endpoints: Object.entries(of).map(([address, conditions]) => ({
      addresses: [address],
      conditions,
      ...(pod && { targetRef: { kind: 'Pod', namespace: NS, name: pod } }),
    })),
  };
  const apply = { type: 'apply', fieldManager: 'test', force: true } as const;
  await client.patch(endpointSlices, { namespace: NS, name }, slice, apply);
};

const addressOf = (name: string, kind: 'service' | 'ingress' = 'service'): Promise<string> =>
  until(
    async () => {
      const key = { namespace: NS, name };
      const { status } =
        kind === 'service' ? await client.get(services, key) : await client.get(ingresses, key);
      return status?.loadBalancer?.ingress?.[0]?.ip;
    },
    { limitMs: 30_000, what: `the address of ${kind} ${name}` },
  );

/** Waits until what answers has that name, or the request that status. */
const answers = (url: string, wanted: string | number, host?: string) =>
  until(
    async () => {
      const { status, body } = await stage.ask(url, host);
      const got = status === 200 ? (JSON.parse(body) as { name: string }).name : status;
      return got === wanted ? { status, body } : undefined;
    },
    { limitMs: 30_000, what: `${url} of ${host ?? 'any host'} to be answered by ${wanted}` },
  );

/** Waits until one pod gets all new connections. */
const answersAlone = (url: string, name: string) =>
  until(
    async () => {
      const answered = await Promise.all([1, 2, 3, 4].map(() => stage.ask(url)));
      return answered.every(({ body }) => body.includes(name));
    },
    { limitMs: 30_000, what: `${url} to be answered by ${name} alone` },
  );

/** Waits until a client that asks on was answered by a name. */
const heard = (asking: Beside, name: string) =>
  until(() => asking.output().includes(name), { limitMs: 10_000, what: `${name} to answer who asks on` });

const eventOf = (name: string, reason: string, part: string) =>
  until(
    async () => {
      const all = await client.list(events, {
        namespace: NS,
        fieldSelector: `involvedObject.name=${name},reason=${reason}`,
      });
      return all.find(({ message = '' }) => message.includes(part));
    },
    { limitMs: 30_000, what: `an event ${reason} of ${name} about ${part}` },
  );

const removed = async (name: string): Promise<void> => {
  await client.delete(services, { namespace: NS, name });
  await until(
    () =>
      client.get(services, { namespace: NS, name }).then(
        () => false,
        (cause: unknown) => isNotFound(cause),
      ),
    { limitMs: 30_000, what: `Service ${name} to be let go of` },
  );
};

describe('a Service of type LoadBalancer', () => {
  it('gets an address that balances to the addresses of pods, from its own', async () => {
    await client.create(services, service('web'));
    await endpoints('web', { [POD[0]]: { ready: true } });
    const address = await addressOf('web');
    expect(address).toBe('10.42.2.4');
    const { body } = await answers(`http://${address}/`, 'pod-0');
    expect(JSON.parse(body)).toEqual({ name: 'pod-0', path: '/', from: '10.42.2.4' });
    const { metadata, status } = await client.get(services, { namespace: NS, name: 'web' });
    expect(metadata.finalizers).toContain('cloister.dev/balancer');
    expect(status?.loadBalancer?.ingress).toEqual([{ ip: address, ipMode: 'Proxy' }]);
    await eventOf('web', 'SuccessfullyReconciled', 'Successfully reconciled');
  });

  it('sends nothing to a pod that does not answer health checks', async () => {
    const isHealthy = async (): Promise<boolean> => {
      const states = parseServerStates(await ask(join(folder, 'commands.sock'), 'show servers state'));
      return states.some(({ server, healthy }) => server === `${POD[0]}:8080` && healthy);
    };
    // Without a healthy one all would get connections.
    await until(isHealthy, { limitMs: 30_000, what: 'pod-0 to be found healthy' });
    await endpoints('web', { [POD[0]]: { ready: true }, '10.42.64.99': { ready: true } });
    const asking = stage.askOn('http://10.42.2.4/');
    await endpoints('web', {
      [POD[0]]: { ready: true },
      '10.42.64.99': { ready: true },
      [POD[1]]: { ready: true },
    });
    await answers('http://10.42.2.4/', 'pod-1');
    await heard(asking, 'pod-1');
    expect(Object.keys(JSON.parse(await asking.finish()) as object).toSorted()).toEqual(['pod-0', 'pod-1']);
  });

  it('drains a pod that ends: no new connection, those that it has go on, no request fails', async () => {
    await endpoints('web', { [POD[0]]: { ready: true } });
    await answers('http://10.42.2.4/', 'pod-0');
    const held = stage.hold('http://10.42.2.4/hold');
    await until(() => held.output().includes('beat'), { limitMs: 10_000, what: 'a held connection' });
    expect(held.output()).toContain('pod-0');
    const both = { [POD[0]]: { ready: true }, [POD[1]]: { ready: true } };
    await endpoints('web', both);
    await answers('http://10.42.2.4/', 'pod-1');

    const asking = stage.askOn('http://10.42.2.4/');
    await endpoints('web', { ...both, [POD[0]]: { ready: false, terminating: true } });
    await answersAlone('http://10.42.2.4/', 'pod-1');
    const before = held.output().length;
    await until(() => held.output().length > before, {
      limitMs: 5_000,
      what: 'the held connection to go on',
    });
    const counts = JSON.parse(await asking.finish()) as Record<string, number>;
    expect(Object.keys(counts).filter((name) => !name.startsWith('pod-'))).toEqual([]);

    await endpoints('web', both);
    await answers('http://10.42.2.4/', 'pod-0');
    await held.kill();
    await endpoints('web', { [POD[1]]: { ready: true } });
    await answersAlone('http://10.42.2.4/', 'pod-1');
  });

  it('keeps connections when other balancers come', async () => {
    const held = stage.hold('http://10.42.2.4/hold');
    await until(() => held.output().includes('beat'), { limitMs: 10_000, what: 'a held connection' });
    const asking = stage.askOn('http://10.42.2.4/');
    await client.create(services, service('other'));
    await endpoints('other', { [POD[2]]: { ready: true } });
    const address = await addressOf('other');
    expect(address).toBe('10.42.2.5');
    await answers(`http://${address}/`, 'pod-2');
    const before = held.output().length;
    await until(() => held.output().length > before, {
      limitMs: 5_000,
      what: 'the held connection to go on',
    });
    await heard(asking, 'pod-1');
    expect(Object.keys(JSON.parse(await asking.finish()) as object)).toEqual(['pod-1']);
    await held.kill();
  });
});

describe('the class alb', () => {
  it("is there, names our controller and is nobody's default", async () => {
    const { metadata, spec } = await client.get(ingressClasses, { name: 'alb' });
    expect(spec?.controller).toBe('cloister.dev/alb');
    expect(metadata.annotations).toBeUndefined();
  });

  it('of another name is served when its controller is ours', async () => {
    const CLASS = 'inside';
    const key = { namespace: NS, name: CLASS };
    await client.create(ingresses, {
      metadata: { ...key, annotations: { 'alb.ingress.kubernetes.io/target-type': 'ip' } },
      spec: { ingressClassName: CLASS, defaultBackend: backend('web') },
    });
    await client.create(ingressClasses, {
      metadata: { name: CLASS },
      spec: { controller: 'cloister.dev/alb' },
    });
    await answers(`http://${await addressOf(CLASS, 'ingress')}/`, 'pod-1');
    await client.delete(ingressClasses, { name: CLASS });
    await until(async () => (await client.get(ingresses, key)).status?.loadBalancer?.ingress === undefined, {
      limitMs: 10_000,
      what: 'the Ingress without its class to tell no address',
    });
    await client.delete(ingresses, key);
  });

  it('stays that of another controller where there is one', async () => {
    const theirs = { metadata: { name: 'alb' }, spec: { controller: 'ingress.k8s.aws/alb' } };
    await client.delete(ingressClasses, { name: 'alb' });
    await client.create(ingressClasses, theirs);
    await createOnce(client, ingressClasses, ingressClass());
    expect((await client.get(ingressClasses, { name: 'alb' })).spec).toEqual(theirs.spec);
  });
});

const backend = (name: string) => ({ service: { name, port: { name: 'web' } } });

/** A rule that sends whatever is asked to a Service. */
const everything = (name: string) => ({
  http: { paths: [{ path: '/', pathType: 'Prefix', backend: backend(name) }] },
});

describe('an Ingress', () => {
  const ingress = (name: string, annotations: Record<string, string> = {}) => ({
    apiVersion: 'networking.k8s.io/v1' as const,
    kind: 'Ingress' as const,
    metadata: {
      namespace: NS,
      name,
      annotations: {
        'alb.ingress.kubernetes.io/target-type': 'ip',
        'alb.ingress.kubernetes.io/group.name': 'front',
        ...annotations,
      },
    },
    spec: {
      ingressClassName: 'alb',
      rules: [
        {
          host: 'shop.example',
          http: {
            paths: [
              { path: '/api', pathType: 'Prefix', backend: backend('api') },
              { path: '/gone', pathType: 'Exact', backend: backend('gone') },
              { path: '/', pathType: 'Prefix', backend: backend('site') },
            ],
          },
        },
      ],
    },
  });
  const plain = (name: string) => ({ ...service(name, {}), spec: { ports: [{ name: 'web', port: 80 }] } });

  it('routes by host and path', async () => {
    for (const [name, address] of [
      ['api', POD[1]],
      ['site', POD[2]],
    ] as const) {
      await client.create(services, plain(name));
      await endpoints(name, { [address]: { ready: true } });
    }
    await client.create(ingresses, ingress('front'));
    const address = await addressOf('front', 'ingress');
    expect(address).toBe('10.42.2.6');
    await answers(`http://${address}/api/v1`, 'pod-1', 'shop.example');
    await answers(`http://${address}/apis`, 'pod-2', 'shop.example');
    await answers(`http://${address}/`, 'pod-2', 'shop.example:80');
    expect(await stage.ask(`http://${address}/`, 'elsewhere.example')).toMatchObject({ status: 404 });
  });

  it('does what its annotations of actions and conditions say', async () => {
    const ALB = 'alb.ingress.kubernetes.io/';
    const { metadata, spec } = ingress('acts', {
      [`${ALB}actions.body`]: JSON.stringify({
        type: 'fixed-response',
        fixedResponseConfig: { statusCode: '200', messageBody: "it's\n100% $HOME" },
      }),
      [`${ALB}actions.away`]: JSON.stringify({
        type: 'redirect',
        redirectConfig: { protocol: 'HTTPS', port: '8443', path: '/new/#{path}', statusCode: 'HTTP_302' },
      }),
      [`${ALB}actions.both`]: JSON.stringify({
        type: 'forward',
        forwardConfig: {
          targetGroups: [
            { serviceName: 'api', servicePort: 'web', weight: 50 },
            { serviceName: 'site', servicePort: 80, weight: 50 },
          ],
        },
      }),
      [`${ALB}conditions.api`]: JSON.stringify([
        { field: 'http-request-method', httpRequestMethodConfig: { values: ['DELETE'] } },
        { field: 'query-string', queryStringConfig: { values: [{ key: 'K', value: 'v*' }] } },
      ]),
    });
    const paths = ['body', 'away', 'both', 'api'].map((name) => ({
      ...{ path: `/${name}`, pathType: 'Prefix' },
      backend: { service: { name, port: { name: name === 'api' ? 'web' : 'use-annotation' } } },
    }));
    const rules = [{ host: 'acts.example', http: { paths } }];
    await client.create(ingresses, { metadata, spec: { ...spec, rules } });
    const ask = (path: string, method?: string) =>
      stage.ask(`http://10.42.2.6/${path}`, 'acts.example', method);
    const api = () => ask('api?a=b&k=value', 'DELETE');
    await until(async () => (await api()).status === 200, { limitMs: 30_000, what: 'the rules' });
    expect((await ask('body')).body).toBe("it's\n100% $HOME");
    expect(await ask('away/x%20?y=1')).toMatchObject({
      status: 302,
      location: 'https://acts.example:8443/new/away/x%20?y=1',
    });
    expect((await ask('away')).location).toBe('https://acts.example:8443/new/away');
    expect([(await ask('api?k=value')).status, (await ask('api?k=w', 'DELETE')).status]).toEqual([404, 404]);
    const names = new Set<string>();
    // Thirty clients, and few at the same time: each has its limit.
    for (let round = 0; round < 10; round++)
      for (const { body } of await Promise.all(['both', 'both', 'both'].map((path) => ask(path))))
        names.add((JSON.parse(body) as { name: string }).name);
    expect(names).toEqual(new Set(['pod-1', 'pod-2']));
    await client.delete(ingresses, { namespace: NS, name: 'acts' });
  });

  it('asks another pod when one closes a connection unanswered, unless asking twice might do harm', async () => {
    await endpoints('site', { [POD[1]]: { ready: true }, [POD[2]]: { ready: true } });
    const url = 'http://10.42.2.6/not-pod-1';
    await answers('http://10.42.2.6/', 'pod-1', 'shop.example');
    const ask = (method: string) =>
      Promise.all(['', '', '', ''].map(() => stage.ask(url, 'shop.example', method)));
    const asked = await ask('GET');
    expect(asked.map(({ body }) => (JSON.parse(body) as { name: string }).name)).toEqual(
      asked.map(() => 'pod-2'),
    );
    expect(new Set((await ask('POST')).map(({ status }) => status))).toEqual(new Set([200, 502]));
    await endpoints('site', { [POD[2]]: { ready: true } });
  });

  it('answers 503 for a backend that does not exist, and says so', async () => {
    expect(await stage.ask('http://10.42.2.6/gone', 'shop.example')).toMatchObject({ status: 503 });
    await eventOf('front', 'FailedBuildModel', `backend Service ${NS}/gone does not exist`);
  });

  it('of two for the same host and path in a group, the first counts', async () => {
    await client.create(ingresses, ingress('later', { 'alb.ingress.kubernetes.io/group.order': '1' }));
    const event = await eventOf('later', 'FailedBuildModel', 'shop.example/api');
    expect(event.message).toContain(`Ingress ${NS}/front`);
    expect(await addressOf('later', 'ingress')).toBe('10.42.2.6');
  });

  it('that leaves its group leaves the address to it, and comes back to it', async () => {
    const key = { namespace: NS, name: 'front' };
    const group = (name: string | null) =>
      client.patch(
        ingresses,
        key,
        { metadata: { annotations: { 'alb.ingress.kubernetes.io/group.name': name } } },
        { type: 'merge' },
      );
    await group(null);
    await eventOf('front', 'FailedBuildModel', `all addresses of ${CIDR} are taken`);
    await until(async () => (await client.get(ingresses, key)).status?.loadBalancer?.ingress === undefined, {
      limitMs: 10_000,
      what: 'front to tell no address',
    });
    await answers('http://10.42.2.6/', 'pod-2', 'shop.example');
    expect(await addressOf('later', 'ingress')).toBe('10.42.2.6');
    await group('front');
    expect(await addressOf('front', 'ingress')).toBe('10.42.2.6');
    await client.delete(ingresses, { namespace: NS, name: 'later' });
  });
});

describe('an Ingress with certificates', () => {
  const key = { namespace: NS, name: 'tls' };
  const HTTPS = 'https://10.42.2.6/';
  const SHOP = { hosts: ['shop.example'], secretName: 'shop-tls' };
  const OTHER = { hosts: ['other.example'], secretName: 'other-tls' };
  const folderOfKeys = join(folder, 'certificates');

  const writeSecret = async (name: string, { certificate, key: secret }: Identity) => {
    const object = {
      ...{ apiVersion: 'v1', kind: 'Secret', metadata: { namespace: NS, name }, type: 'kubernetes.io/tls' },
      stringData: { 'tls.crt': certificate, 'tls.key': secret },
    } as const;
    const apply = { type: 'apply', fieldManager: 'test', force: true } as const;
    await client.patch(secrets, { namespace: NS, name }, object, apply);
  };

  /** Waits until a client that names a host is shown a certificate. */
  const shown = (host: string, name: string) =>
    until(async () => (await stage.ask(HTTPS, host)).certificate === name, {
      limitMs: 30_000,
      what: `${host} to be shown the certificate of ${name}`,
    });

  it('ends TLS with the certificate of the host, and sends clients of HTTP there', async () => {
    await writeSecret('shop-tls', await makeServing(['shop.example']));
    await client.create(ingresses, {
      metadata: {
        ...key,
        annotations: {
          'alb.ingress.kubernetes.io/target-type': 'ip',
          'alb.ingress.kubernetes.io/group.name': 'front',
          'alb.ingress.kubernetes.io/listen-ports': '[{"HTTP": 80}, {"HTTPS": 443}]',
          'alb.ingress.kubernetes.io/ssl-redirect': '443',
        },
      },
      spec: { ingressClassName: 'alb', tls: [SHOP, OTHER], rules: [everything('site')] },
    });
    await shown('shop.example', 'shop.example');
    const { body } = await answers(`${HTTPS}x`, 'pod-2', 'shop.example');
    expect(JSON.parse(body)).toMatchObject({ name: 'pod-2', path: '/x', from: '10.42.2.6' });
    expect(await stage.ask('http://10.42.2.6/x?y=1', 'shop.example:80')).toMatchObject({
      status: 301,
      location: 'https://shop.example/x?y=1',
    });
    expect(statSync(folderOfKeys).mode & 0o777).toBe(0o700);
    for (const name of readdirSync(folderOfKeys))
      expect([name, statSync(join(folderOfKeys, name)).mode & 0o777]).toEqual([name, 0o600]);
  });

  it('tells of a Secret that is missing, broken or too weak, and takes each once it is right', async () => {
    await eventOf('tls', 'FailedBuildModel', 'gives no TLS for other.example: there is none');
    const right = await makeServing(['other.example']);
    await writeSecret('other-tls', { ...right, key: 'no key' });
    await eventOf('tls', 'FailedBuildModel', 'tls.key holds no private key');
    await writeSecret('other-tls', await makeServing(['other.example'], WEAK));
    await eventOf('tls', 'FailedBuildModel', 'HAProxy refuses its certificate or key');
    expect(await stage.ask(HTTPS, 'shop.example')).toMatchObject({
      status: 200,
      certificate: 'shop.example',
    });
    await writeSecret('other-tls', right);
    await shown('other.example', 'other.example');
  });

  it('shows a certificate that was changed, and keeps no key that nobody asks for', async () => {
    await writeSecret('shop-tls', await makeServing(['renewed.example', 'shop.example']));
    await shown('shop.example', 'renewed.example');
    const keys = () => readdirSync(folderOfKeys).filter((name) => name.endsWith('.pem'));
    await until(() => keys().length === 2, { limitMs: 10_000, what: 'the old key to be removed' });
    await client.delete(ingresses, key);
    await until(() => !existsSync(folderOfKeys), { limitMs: 30_000, what: 'the keys to be removed' });
  });
});

describe('what cannot be', () => {
  it('instances as targets: an event names the annotation', async () => {
    await client.create(services, service('instances', { [`${NLB}-type`]: 'external' }));
    const { message, type } = await eventOf('instances', 'FailedBuildModel', `${NLB}-nlb-target-type`);
    expect([type, message?.includes('"ip"')]).toEqual(['Warning', true]);
    const { metadata } = await client.get(services, { namespace: NS, name: 'instances' });
    expect(metadata.finalizers ?? []).not.toContain('cloister.dev/balancer');
  });

  it('an object that a policy keeps from being held: an event says so, and all others go on', async () => {
    const name = 'stubborn';
    await removed('other');
    const admission = { apiVersion: 'admissionregistration.k8s.io/v1', metadata: { name } };
    const rules = [{ apiGroups: [''], apiVersions: ['v1'], operations: ['UPDATE'], resources: ['services'] }];
    const validations = [{ expression: `object.metadata.name != '${name}'`, message: 'hands off' }];
    const policy = { matchConstraints: { resourceRules: rules }, validations };
    const binding = { policyName: name, validationActions: ['Deny'] };
    const both: object[] = [
      { ...admission, kind: 'ValidatingAdmissionPolicy', spec: policy },
      { ...admission, kind: 'ValidatingAdmissionPolicyBinding', spec: binding },
    ];
    await applyManifests(client, both, 'test');
    await client.create(services, { ...service(name), metadata: { namespace: NS, name } });
    const key = { namespace: NS, name };
    const ask = (annotations: object) =>
      client.patch(services, key, { metadata: { annotations } }, { type: 'merge' });
    await until(() => ask({ tried: `${Date.now()}` }).then(() => false, isRefusal), {
      limitMs: 30_000,
      what: 'the policy to count',
    });
    await client.delete(services, key);
    await client.create(services, service(name));
    await eventOf(name, 'FailedBuildModel', 'hands off');
    await endpoints('web', { [POD[0]]: { ready: true } });
    await answers('http://10.42.2.4/', 'pod-0');
    await endpoints('web', { [POD[1]]: { ready: true } });
    await client.delete(validatingAdmissionPolicyBindings, { name });
    expect(await addressOf(name)).toBe('10.42.2.5');
  });

  it('more balancers than addresses: an event says so, and a freed address is given', async () => {
    await client.create(services, service('fourth'));
    await eventOf('fourth', 'FailedBuildModel', `all addresses of ${CIDR} are taken`);
    await removed('stubborn');
    expect(await addressOf('fourth')).toBe('10.42.2.5');
  });
});

describe('an address that somebody writes down', () => {
  it('stays with the one whose status tells it', async () => {
    const written = async () => {
      const { metadata } = await client.get(services, { namespace: NS, name: 'web' });
      return metadata.annotations?.['cloister.dev/balancer-address'];
    };
    const annotations = { 'cloister.dev/balancer-address': '10.42.2.6' };
    await client.patch(
      services,
      { namespace: NS, name: 'web' },
      { metadata: { annotations } },
      { type: 'merge' },
    );
    await until(async () => (await written()) === '10.42.2.4', {
      limitMs: 10_000,
      what: 'the address of web to be put right',
    });
    expect(await addressOf('web')).toBe('10.42.2.4');
    expect(await addressOf('front', 'ingress')).toBe('10.42.2.6');
    await answers('http://10.42.2.6/', 'pod-2', 'shop.example');
  });
});

describe('what HAProxy would refuse', () => {
  it('in one object stops no other', async () => {
    const ALB = 'alb.ingress.kubernetes.io/';
    await client.patch(
      services,
      { namespace: NS, name: 'fourth' },
      { spec: { loadBalancerSourceRanges: [' 10.42.0.0/24 '] } },
      { type: 'merge' },
    );
    const odd = ['/x\n    http-request deny', "/x' 'deny", '/x # deny', '/[z-a]{9,1}*', ''];
    await client.create(ingresses, {
      metadata: {
        ...{ namespace: NS, name: 'odd' },
        annotations: {
          [`${ALB}group.name`]: 'front',
          [`${ALB}target-type`]: 'ip',
          [`${ALB}success-codes`]: '399-200',
        },
      },
      spec: {
        ingressClassName: 'alb',
        rules: odd.map((path, index) => ({
          host: `odd-${index}.example`,
          http: { paths: [{ path, pathType: 'ImplementationSpecific', backend: backend('site') }] },
        })),
      },
    });
    await answers('http://10.42.2.6/any', 'pod-2', `odd-${odd.length - 1}.example`);
    await eventOf('odd', 'FailedBuildModel', 'success-codes is "399-200"');
    await eventOf('odd', 'FailedBuildModel', 'control characters');
    await client.delete(ingresses, { namespace: NS, name: 'odd' });
  });
});

describe('a crash', () => {
  it('of the controller leaves balancers and addresses as they are', async () => {
    const asking = stage.askOn('http://10.42.2.4/');
    await product.kill();
    expect((await stage.ask('http://10.42.2.4/')).status).toBe(200);
    await product.start();
    await endpoints('web', { [POD[2]]: { ready: true } });
    await answers('http://10.42.2.4/', 'pod-2');
    expect(await addressOf('web')).toBe('10.42.2.4');
    const counts = JSON.parse(await asking.finish()) as Record<string, number>;
    // The last healthy target went before the next one was: with none that is healthy, all get connections.
    expect(Object.keys(counts).filter((name) => !name.startsWith('pod-'))).toEqual([]);
  });

  it('of HAProxy is put right', async () => {
    process.kill(livePid(join(folder, 'haproxy.pid')) as number, 'SIGKILL');
    await answers('http://10.42.2.4/', 'pod-2');
  });
});

describe('a readiness gate', () => {
  it('is given to new pods behind a balancer, and opens when the target is healthy', async () => {
    const selecting = service('gated');
    await client.create(services, {
      ...selecting,
      spec: { ...selecting.spec, selector: { app: 'gated' } },
    });
    await removed('fourth');
    const address = await addressOf('gated');
    const account = { namespace: NS, name: 'default' };
    await until(() => client.get(serviceAccounts, account), { limitMs: 30_000, what: 'the service account' });
    const pod = await client.create(pods, {
      metadata: { namespace: NS, name: 'waits', labels: { app: 'gated' } },
      spec: { containers: [{ name: 'main', image: 'none' }] },
    });
    const gate = pod.spec.readinessGates?.[0]?.conditionType ?? '';
    expect(gate).toMatch(/^target-health\.elbv2\.k8s\.aws\/k8s-shop-gated-[0-9a-f]{10}$/);
    const status = {
      phase: 'Running',
      podIP: POD[0],
      podIPs: [{ ip: POD[0] }],
      conditions: [{ type: 'ContainersReady', status: 'True' }],
    };
    const patch = { type: 'strategic', subresource: 'status' } as const;
    await client.patch(pods, { namespace: NS, name: 'waits' }, { status }, patch);
    await endpoints('gated', { [POD[0]]: { ready: false } }, 'waits');
    const told = await until(
      async () => {
        const { conditions } = (await client.get(pods, { namespace: NS, name: 'waits' })).status ?? {};
        return conditions?.find((one) => one.type === gate && one.status === 'True');
      },
      { limitMs: 30_000, what: 'the gate to open' },
    );
    expect(told.reason).toBe('Healthy');
    await answers(`http://${address}/`, 'pod-0');
  });
});

describe('a readiness gate of a pool that is gone', () => {
  it('opens: nobody would ever find its target healthy', async () => {
    const gate = 'target-health.elbv2.k8s.aws/k8s-shop-gone-0123456789';
    const key = { namespace: NS, name: 'orphan' };
    await client.create(pods, {
      metadata: key,
      spec: { containers: [{ name: 'main', image: 'none' }], readinessGates: [{ conditionType: gate }] },
    });
    const status = { conditions: [{ type: 'ContainersReady', status: 'True' }] };
    await client.patch(pods, key, { status }, { type: 'strategic', subresource: 'status' });
    await until(
      async () => {
        const { conditions = [] } = (await client.get(pods, key)).status ?? {};
        return conditions.some(({ type, status }) => type === gate && status === 'True');
      },
      { limitMs: 30_000, what: 'the gate to open' },
    );
  });
});

describe('a pod that is being deleted', () => {
  it('gets no connection from that moment, whatever its slice still says', async () => {
    const [key, hold] = [{ namespace: NS, name: 'ends' }, 'example.com/hold'];
    await client.create(pods, {
      metadata: { ...key, finalizers: [hold] },
      spec: { containers: [{ name: 'main', image: 'none' }] },
    });
    await endpoints('web', { [POD[2]]: { ready: true } }, 'ends');
    await answers('http://10.42.2.4/', 'pod-2');
    await client.delete(pods, key);
    await answers('http://10.42.2.4/', 0);
    await client.patch(pods, key, { metadata: { finalizers: null } }, { type: 'merge' });
  });
});

describe('targets that want it', () => {
  const RAW = '10.42.64.31';
  const key = { namespace: NS, name: 'gated' };
  const annotate = (annotations: Record<string, string | null>) =>
    client.patch(services, key, { metadata: { annotations } }, { type: 'merge' });
  const begun = async (url: string, host?: string): Promise<readonly string[]> => {
    const { status, body } = await stage.ask(url, host);
    return status === 200 && body.startsWith('[') ? (JSON.parse(body) as string[]) : [];
  };
  const untilBegun = (how: string) =>
    until(async () => (await begun(`http://${RAW}:8081/`)).includes(how), {
      limitMs: 30_000,
      what: `a connection that begins with ${how}`,
    });

  it('are told the client, and spoken to by TLS', async () => {
    await stage.serveBeginnings(RAW);
    const slice = (name: string) => ({
      ...{ apiVersion: 'discovery.k8s.io/v1', kind: 'EndpointSlice', addressType: 'IPv4' },
      metadata: { namespace: NS, name, labels: { 'kubernetes.io/service-name': name } },
      ports: [{ name: 'web', port: 8081, protocol: 'TCP' }],
      endpoints: [{ addresses: [RAW], conditions: { ready: true } }],
    });
    await applyManifests(client, [slice('gated'), slice('raw')], 'test');
    const url = `http://${await addressOf('gated')}/`;
    await annotate({ [`${NLB}-proxy-protocol`]: '*' });
    // The signature of version 2: a line that no other protocol begins with.
    await untilBegun('0d0a0d');
    await until(async () => (await begun(url)).length > 0, { limitMs: 30_000, what: `${url} to answer` });

    const ALB = 'alb.ingress.kubernetes.io/';
    await client.create(services, {
      ...service('raw', { [`${ALB}backend-protocol`]: 'HTTPS', [`${ALB}healthcheck-protocol`]: 'HTTPS' }),
      spec: { ports: [{ name: 'web', port: 443 }] },
    });
    await client.create(ingresses, {
      metadata: {
        ...{ namespace: NS, name: 'raw' },
        annotations: {
          ...{ [`${ALB}group.name`]: 'front', [`${ALB}target-type`]: 'ip' },
          [`${ALB}scheme`]: 'internet-facing',
        },
      },
      spec: { ingressClassName: 'alb', rules: [{ host: 'raw.example', ...everything('raw') }] },
    });
    await untilBegun('160301');
    expect((await stage.ask('http://10.42.2.6/', 'raw.example')).status).toBe(503);
    await eventOf('raw', 'NoEffect', 'scheme');
    await client.delete(ingresses, { namespace: NS, name: 'raw' });
    await annotate({ [`${NLB}-proxy-protocol`]: null });
  });

  it('keep their connections for as long as they ask', async () => {
    const url = `http://${await addressOf('gated')}`;
    await annotate({ [`${NLB}-target-group-attributes`]: 'deregistration_delay.timeout_seconds=1' });
    await endpoints('gated', { [POD[0]]: { ready: true } });
    await answers(`${url}/`, 'pod-0');
    const held = stage.hold(`${url}/hold`);
    await until(() => held.output().includes('beat'), { limitMs: 10_000, what: 'a held connection' });
    await endpoints('gated', { [POD[1]]: { ready: true } });
    await held.finish();
    await endpoints('gated', { [POD[0]]: { ready: true } });
  });
});

describe('source ranges', () => {
  it('keep everybody else out', async () => {
    const key = { namespace: NS, name: 'gated' };
    const address = await addressOf('gated');
    const allow = (...loadBalancerSourceRanges: string[]) =>
      client.patch(services, key, { spec: { loadBalancerSourceRanges } }, { type: 'merge' });
    await allow('192.0.2.0/24');
    await answers(`http://${address}/`, 0);
    await allow('192.0.2.0/24', '10.42.0.0/24');
    await answers(`http://${address}/`, 'pod-0');
  });
});
