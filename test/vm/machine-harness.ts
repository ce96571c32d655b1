/**
 * The least that a machine needs around it: a VPC router, an API server at the control plane's address, and a
 * registry of certificates, in namespaces of their own. No controller of the product takes part.
 */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { VPC_CIDR } from '../../src/cluster/plan.ts';
import { attach, createRouter, removeRouter } from '../../src/compute/local/router.ts';
import type { Credentials } from '../../src/compute/render/seed.ts';
import { type Machine } from '../../src/core/machine/machine.ts';
import { nodeNameOf, nodeOf } from '../../src/core/machine/node.ts';
import { exec } from '../../src/host/exec.ts';
import { addNamespace, inNamespace, removeNamespace } from '../../src/host/namespace.ts';
import { startDaemon, stopDaemon } from '../../src/host/process.ts';
import { until } from '../../src/host/wait.ts';
import { component } from '../support/run.ts';

/** Where the API server listens, as on a real cluster. */
export const CONTROL = '10.42.0.2';

/** A router, an API server, and what tests do with them. */
export interface Surroundings {
  readonly name: string;
  readonly folder: string;
  readonly router: string;
  readonly control: string;
  readonly ca: string;
  kubectl(args: readonly string[], input?: object): Promise<string>;
  read<T>(...args: readonly string[]): Promise<T>;
  /** Runs a program where the control plane is, such as curl. */
  run(program: string, args: readonly string[], limitMs?: number): Promise<string>;
  /** Node and pod of a machine, bound before it starts; gives the pod's UID. */
  bind(machine: Machine, pod: object): Promise<string>;
  credentials(machine: Machine): Promise<Credentials>;
  end(): Promise<void>;
}

/** Starts everything; ends what it started when that fails. */
export const surroundings = async (name: string): Promise<Surroundings> => {
  const folder = mkdtempSync(join(tmpdir(), `${name}-`));
  const [router, control] = [`${name}-router`, `${name}-control`];
  const end = async (): Promise<void> => {
    for (const program of ['apiserver', 'etcd']) await stopDaemon(join(folder, `${program}.pid`), 5_000);
    await removeNamespace(control);
    await removeRouter(router);
    rmSync(folder, { recursive: true });
  };
  try {
    await createRouter({ name: router, network: VPC_CIDR, egress: false });
    await addNamespace(control);
    await attach({ router, namespace: control, address: CONTROL });
    const certificates = await authority(folder);
    await startControlPlane(folder, control);
    const run = (program: string, args: readonly string[], limitMs = 30_000) => {
      const [command, all] = inNamespace(control, program, args);
      return exec(command, all, { limitMs });
    };
    const kubectl = async (args: readonly string[], input?: object): Promise<string> => {
      const [command, all] = inNamespace(control, component('kubectl'), [
        ...['--kubeconfig', join(folder, 'admin.kubeconfig')],
        ...args,
      ]);
      return exec(command, all, {
        limitMs: 150_000,
        ...(input === undefined ? {} : { input: JSON.stringify(input) }),
      });
    };
    writeFileSync(join(folder, 'admin.kubeconfig'), await adminKubeconfig(folder, certificates));
    await until(async () => (await kubectl(['get', '--raw', '/readyz'])) === 'ok', {
      limitMs: 60_000,
      what: `the API server to be ready; its log is ${join(folder, 'apiserver.log')}`,
      everyMs: 200,
    });
    const create = (object: object) => kubectl(['create', '-f', '-'], object);
    await create({
      apiVersion: 'v1',
      kind: 'ServiceAccount',
      metadata: { name: 'kube-proxy', namespace: 'kube-system' },
    });
    await create({
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'ClusterRoleBinding',
      metadata: { name: 'kube-proxy' },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'system:node-proxier' },
      subjects: [{ kind: 'ServiceAccount', name: 'kube-proxy', namespace: 'kube-system' }],
    });
    return {
      name,
      folder,
      router,
      control,
      ca: readFileSync(join(folder, 'ca.crt'), 'utf8'),
      kubectl,
      run,
      end,
      read: async <T>(...args: readonly string[]) =>
        JSON.parse(await kubectl(['get', ...args, '-o', 'json'])) as T,
      bind: async (machine, pod) => {
        const node = nodeOf(machine, name, new Date().toISOString());
        await create(node);
        await kubectl(['replace', '--subresource=status', '-f', '-'], node);
        await create({ ...pod, apiVersion: 'v1', kind: 'Pod' });
        const uid = await kubectl(['get', 'pod', machine.pod.name, '-o', 'jsonpath={.metadata.uid}']);
        await kubectl(
          ['create', '--raw', `/api/v1/namespaces/default/pods/${machine.pod.name}/binding`, '-f', '-'],
          {
            apiVersion: 'v1',
            kind: 'Binding',
            metadata: { name: machine.pod.name },
            target: { apiVersion: 'v1', kind: 'Node', name: nodeNameOf(machine) },
          },
        );
        return uid;
      },
      credentials: async (machine) => ({
        client: await certificates('client', `/O=system:nodes/CN=system:node:${nodeNameOf(machine)}`, ''),
        serving: await certificates(
          'server',
          `/O=system:nodes/CN=system:node:${nodeNameOf(machine)}`,
          `IP:${machine.placement.address},DNS:${nodeNameOf(machine)}`,
        ),
        proxyToken: (await kubectl(['create', 'token', 'kube-proxy', '-n', 'kube-system'])).trim(),
        images: [],
      }),
    };
  } catch (cause) {
    await end();
    throw cause;
  }
};

type Issue = (
  use: 'client' | 'server',
  subject: string,
  names: string,
) => Promise<{ certificate: string; key: string }>;

/** A certificate authority made with openssl. */
const authority = async (folder: string): Promise<Issue> => {
  const openssl = (...args: string[]) => exec('openssl', args, { cwd: folder });
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  await openssl(
    'req',
    '-x509',
    ...curve,
    '-keyout',
    'ca.key',
    '-out',
    'ca.crt',
    '-days',
    '2',
    '-subj',
    '/CN=test',
  );
  await openssl('ecparam', '-genkey', '-name', 'prime256v1', '-noout', '-out', 'accounts.key');
  let serial = 0;
  return async (use, subject, names) => {
    const base = `leaf${++serial}`;
    await openssl('req', ...curve, '-keyout', `${base}.key`, '-out', `${base}.csr`, '-subj', subject);
    const extensions = `extendedKeyUsage=${use}Auth\n${names === '' ? '' : `subjectAltName=${names}\n`}`;
    writeFileSync(join(folder, `${base}.ext`), extensions);
    const signing = ['-CA', 'ca.crt', '-CAkey', 'ca.key', '-CAcreateserial', '-days', '1'];
    await openssl(
      'x509',
      '-req',
      '-in',
      `${base}.csr`,
      ...signing,
      '-out',
      `${base}.crt`,
      '-extfile',
      `${base}.ext`,
    );
    const read = (suffix: string) => readFileSync(join(folder, `${base}.${suffix}`), 'utf8');
    return { certificate: read('crt'), key: read('key') };
  };
};

const adminKubeconfig = async (folder: string, issue: Issue): Promise<string> => {
  const { certificate, key } = await issue('client', '/O=system:masters/CN=admin', '');
  const data = (text: string) => Buffer.from(text).toString('base64');
  const ca = readFileSync(join(folder, 'ca.crt'), 'utf8');
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [
      { name: 'c', cluster: { server: `https://${CONTROL}:6443`, 'certificate-authority-data': data(ca) } },
    ],
    users: [
      { name: 'u', user: { 'client-certificate-data': data(certificate), 'client-key-data': data(key) } },
    ],
    contexts: [{ name: 'x', context: { cluster: 'c', user: 'u' } }],
    'current-context': 'x',
  });
};

const startControlPlane = async (folder: string, control: string): Promise<void> => {
  const issue = await authority(folder);
  const server = await issue(
    'server',
    '/CN=kube-apiserver',
    `IP:${CONTROL},IP:10.96.0.1,DNS:kubernetes.default.svc`,
  );
  const client = await issue('client', '/O=system:masters/CN=kubelet-client', '');
  for (const [name, pair] of Object.entries({ server, client })) {
    writeFileSync(join(folder, `${name}.crt`), pair.certificate);
    writeFileSync(join(folder, `${name}.key`), pair.key, { mode: 0o600 });
  }
  mkdirSync(join(folder, 'etcd'), { mode: 0o700 });
  const start = (name: string, program: string, flags: readonly string[]) => {
    const [command, args] = inNamespace(control, component(program), flags);
    const at = (suffix: string) => join(folder, `${name}.${suffix}`);
    return startDaemon({ name, program: command, args, cwd: folder, logFile: at('log'), pidFile: at('pid') });
  };
  await start('etcd', 'etcd', ['--data-dir=etcd', '--unsafe-no-fsync', '--log-level=warn']);
  await start('apiserver', 'kube-apiserver', [
    '--etcd-servers=http://127.0.0.1:2379',
    `--advertise-address=${CONTROL}`,
    '--service-cluster-ip-range=10.96.0.0/16',
    '--authorization-mode=Node,RBAC',
    '--enable-admission-plugins=NodeRestriction',
    '--disable-admission-plugins=ServiceAccount',
    '--service-account-issuer=https://kubernetes.default.svc',
    ...['--service-account-signing-key-file=accounts.key', '--service-account-key-file=accounts.key'],
    ...['--client-ca-file=ca.crt', '--tls-cert-file=server.crt', '--tls-private-key-file=server.key'],
    ...['--kubelet-client-certificate=client.crt', '--kubelet-client-key=client.key'],
    '--kubelet-certificate-authority=ca.crt',
    '--kubelet-preferred-address-types=InternalIP',
  ]);
};
