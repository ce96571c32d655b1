/** A registry that asks who pulls: the cluster's own images behind a password, in the control plane's namespace. */
import { randomBytes } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Network } from '../../src/api/network.ts';
import { registryProgram } from '../../src/cluster/packages.ts';
import { CONTROL_ADDRESS, namespaces, places } from '../../src/cluster/plan.ts';
import { exec } from '../../src/host/exec.ts';
import { cacheFolder } from '../../src/host/folders.ts';
import { inNamespace } from '../../src/host/namespace.ts';
import { startDaemon, stopDaemon } from '../../src/host/process.ts';
import { until } from '../../src/host/wait.ts';

const PORT = 5001;

export interface PrivateRegistry {
  /** As nodes reach it, once the network object lets them. */
  readonly endpoint: string;
  /** What the network object has to let them. */
  readonly egress: NonNullable<Network['spec']['node']['egress']>[number];
  readonly username: string;
  readonly password: string;
  /** HTTP status of a request without credentials. */
  askedByAnybody(): Promise<string>;
  stop(): Promise<void>;
}

/** A line of an htpasswd file: crypt(3) of libxcrypt knows bcrypt, which docker-registry takes alone. */
const htpasswd = async (username: string, password: string): Promise<string> => {
  const salt = randomBytes(22).toString('hex').slice(0, 21);
  const script = 'print crypt($ARGV[0], q($2b$05$) . $ARGV[1] . q(u))';
  return `${username}:${await exec('perl', ['-e', script, password, salt])}\n`;
};

/** @param folder for its files, which its caller removes */
export const startPrivateRegistry = async (
  cluster: string,
  state: string,
  folder: string,
): Promise<PrivateRegistry> => {
  const [username, password] = ['AWS', randomBytes(16).toString('hex')];
  const endpoint = `http://${CONTROL_ADDRESS}:${PORT}`;
  mkdirSync(folder, { recursive: true });
  const file = (name: string): string => join(folder, name);
  writeFileSync(file('htpasswd'), await htpasswd(username, password), { mode: 0o600 });
  writeFileSync(
    file('registry.yaml'),
    `version: 0.1
log: {level: warn, accesslog: {disabled: true}}
storage: {filesystem: {rootdirectory: ${places(state).registry}}}
http: {addr: "${CONTROL_ADDRESS}:${PORT}"}
auth: {htpasswd: {realm: private, path: ${file('htpasswd')}}}
`,
  );
  const { control } = namespaces(cluster);
  const [program, args] = inNamespace(control, await registryProgram(cacheFolder()), [
    'serve',
    file('registry.yaml'),
  ]);
  await startDaemon({
    name: 'private-registry',
    program,
    args,
    cwd: '/',
    logFile: file('log'),
    pidFile: file('pid'),
  });
  const status = 'fetch(process.argv[1]).then(({ status }) => status, () => 0).then(console.log)';
  const askedByAnybody = async (): Promise<string> =>
    (await exec(...inNamespace(control, process.execPath, ['-e', status, `${endpoint}/v2/`]))).trim();
  await until(async () => (await askedByAnybody()) !== '0', {
    limitMs: 20_000,
    what: 'the private registry to answer',
  });
  const ports = { from: PORT, to: PORT };
  const egress = { cidr: `${CONTROL_ADDRESS}/32`, protocol: 'tcp', ports };
  return { endpoint, egress, username, password, askedByAnybody, stop: () => stopDaemon(file('pid')) };
};
