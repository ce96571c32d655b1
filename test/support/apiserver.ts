/** A real etcd and kube-apiserver for one test file, on free ports of 127.0.0.1, without nodes and controllers. */
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Agent, request } from 'undici';
import { until } from '../../src/host/wait.ts';
import type { KubeConfig } from '../../src/kube/credentials.ts';
import { makePki, makeSigningKey, type TestPki } from './pki.ts';
import { component } from './run.ts';

export interface TestApiServer {
  /** An administrator with a client certificate. */
  readonly config: KubeConfig;
  readonly pki: TestPki;
  /** Temporary folder of both programs; holds `service-accounts.key`, and goes when they stop. */
  readonly folder: string;
  /** Users by bearer token who may do nothing until a test gives them permissions. */
  readonly userToken: string;
  /** Name of the user of `userToken`. */
  readonly user: string;
  /** Where etcd answers, in plain HTTP. */
  readonly etcd: string;
  /** Kills the API server in the middle of whatever it does; etcd goes on. */
  crash(): Promise<void>;
  /** Starts the API server again on the same port. */
  restart(): Promise<void>;
  /** Ends both and removes their files. */
  stop(): Promise<void>;
}

const USER = 'test-user';
const TOKEN = 'test-user-token';

/**
 * Starts both and resolves when the API server is ready, after two to four seconds.
 * @param flags more arguments for the API server, such as an audit log
 * @throws Error with the end of the log when a program ends early, or when programs are missing
 */
export const startApiServer = async (flags: readonly string[] = []): Promise<TestApiServer> => {
  const folder = await mkdtemp(join(tmpdir(), 'cloister-test-'));
  const [etcdPort, peerPort, port] = (await freePorts(3)) as [number, number, number];
  const pki = await makePki();
  const config = { server: `https://127.0.0.1:${port}`, ca: pki.ca, ...pki.admin };
  const etcdUrl = `http://127.0.0.1:${etcdPort}`;
  const apiServerArgs = [...(await apiServerArguments(folder, pki, etcdUrl, port)), ...flags];
  let etcd: Program | undefined;
  let apiServer: Program | undefined;
  const server: TestApiServer = {
    config,
    pki,
    folder,
    userToken: TOKEN,
    user: USER,
    etcd: etcdUrl,
    restart: async () => {
      apiServer = await launch(component('kube-apiserver'), folder, apiServerArgs);
      await ready(config, apiServer);
    },
    crash: () => end(apiServer),
    stop: async () => {
      await end(apiServer);
      await end(etcd);
      await rm(folder, { recursive: true });
    },
  };
  try {
    etcd = await launch(component('etcd'), folder, etcdArguments(folder, etcdUrl, peerPort));
    await server.restart();
    return server;
  } catch (error) {
    await server.stop();
    throw error;
  }
};

const etcdArguments = (folder: string, url: string, peerPort: number): readonly string[] => [
  `--data-dir=${join(folder, 'etcd')}`,
  `--listen-client-urls=${url}`,
  `--advertise-client-urls=${url}`,
  `--listen-peer-urls=http://127.0.0.1:${peerPort}`,
  '--unsafe-no-fsync',
  '--log-level=warn',
];

/** Writes the files that the API server needs and gives the arguments that name them. */
const apiServerArguments = async (
  folder: string,
  pki: TestPki,
  etcdUrl: string,
  port: number,
): Promise<readonly string[]> => {
  const file = async (name: string, content: string): Promise<string> => {
    await writeFile(join(folder, name), content, { mode: 0o600 });
    return join(folder, name);
  };
  const signingKey = await file('service-accounts.key', makeSigningKey());
  return [
    `--etcd-servers=${etcdUrl}`,
    '--bind-address=127.0.0.1',
    `--secure-port=${port}`,
    `--tls-cert-file=${await file('server.crt', pki.server.certificate)}`,
    `--tls-private-key-file=${await file('server.key', pki.server.key)}`,
    `--client-ca-file=${await file('ca.crt', pki.ca)}`,
    `--token-auth-file=${await file('tokens.csv', `${TOKEN},${USER},${USER}\n`)}`,
    '--authorization-mode=RBAC',
    '--service-cluster-ip-range=10.96.0.0/16',
    '--service-account-issuer=https://kubernetes.default.svc',
    `--service-account-signing-key-file=${signingKey}`,
    `--service-account-key-file=${signingKey}`,
    // Pods need no service account here: no controller would make the default one.
    '--disable-admission-plugins=ServiceAccount',
  ];
};

/** Ports that were given before: who got one may not listen on it yet. */
const given = new Set<number>();

/** Ports that nobody listens on; all are taken at once, so that they differ, and none is given twice. */
export const freePorts = async (count: number): Promise<readonly number[]> => {
  const servers = Array.from({ length: count }, () => createServer());
  const ports = await Promise.all(
    servers.map(
      (server) =>
        new Promise<number>((resolve, reject) => {
          server.once('error', reject);
          server.listen(0, '127.0.0.1', () => resolve((server.address() as { port: number }).port));
        }),
    ),
  );
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  if (ports.some((port) => given.has(port))) return freePorts(count);
  for (const port of ports) given.add(port);
  return ports;
};

/** A program that runs, and where it writes what it has to say. */
export interface Program {
  readonly child: ChildProcess;
  readonly logFile: string;
}

/** Starts a program that the kernel ends if the test run dies (prctl(2), PR_SET_PDEATHSIG). */
export const launch = async (program: string, folder: string, args: readonly string[]): Promise<Program> => {
  const logFile = join(folder, `${program.split('/').at(-1)}.log`);
  const log = openSync(logFile, 'a');
  try {
    const child = spawn('setpriv', ['--pdeathsig', 'KILL', program, ...args], {
      stdio: ['ignore', log, log],
    });
    await new Promise((resolve, reject) => child.once('spawn', resolve).once('error', reject));
    return { child, logFile };
  } finally {
    closeSync(log);
  }
};

const hasEnded = ({ child }: Program): boolean => child.exitCode !== null || child.signalCode !== null;

export const end = async (program: Program | undefined): Promise<void> => {
  if (program === undefined) return;
  program.child.kill('SIGKILL');
  await until(() => hasEnded(program), { limitMs: 10_000, what: `${program.logFile} to be the last of it` });
};

/** Waits until the API server says that it is ready, with its own namespaces and roles in place. */
const ready = async ({ server, ca, certificate, key }: KubeConfig, program: Program): Promise<void> => {
  const dispatcher = new Agent({
    connect: { ca: ca as string, cert: certificate as string, key: key as string },
  });
  const answered = async (): Promise<boolean> => {
    if (hasEnded(program)) return true;
    const signal = AbortSignal.timeout(2_000);
    const { statusCode, body } = await request(`${server}/readyz`, { dispatcher, signal });
    await body.dump();
    return statusCode === 200;
  };
  try {
    await until(answered, { limitMs: 60_000, what: 'kube-apiserver to be ready' });
  } finally {
    await dispatcher.destroy();
  }
  if (hasEnded(program))
    throw new Error(`kube-apiserver ended: ${readFileSync(program.logFile, 'utf8').slice(-2_000)}`);
};
