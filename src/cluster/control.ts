/** The control plane: its programs started in NAME-control, watched until they answer. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Agent, request } from 'undici';
import { inNamespace } from '../host/namespace.ts';
import { livePid, startDaemon } from '../host/process.ts';
import { until } from '../host/wait.ts';
import { ensurePki, writeKubeconfig } from './pki.ts';
import { namespaces, places } from './plan.ts';
import * as processes from './processes.ts';

/** Path of a process record of a cluster. */
export const pidFile = (state: string, name: string): string => join(places(state).pids, `${name}.pid`);

/** Path of a program's log. */
export const logFile = (state: string, name: string): string => join(places(state).logs, `${name}.log`);

/** Folders, keys, certificates, kubeconfigs and configuration of the control plane; what exists is kept. */
export const prepareControl = async (state: string, egress: boolean): Promise<void> => {
  const { pki, logs, pids, registry, images, config, productKubeconfig } = places(state);
  for (const folder of [state, logs, pids, registry, images, config])
    mkdirSync(folder, { recursive: true, mode: 0o700 });
  await ensurePki(pki);
  writeKubeconfig(join(config, 'controller-manager.conf'), pki, 'controller-manager');
  writeKubeconfig(join(config, 'scheduler.conf'), pki, 'scheduler');
  writeKubeconfig(productKubeconfig, pki, 'product');
  writeFileSync(join(config, 'audit-policy.yaml'), processes.AUDIT_POLICY);
  writeFileSync(places(state).authenticator, processes.authenticatorConfig(state), { mode: 0o600 });
  for (const name of processes.REGISTRIES)
    writeFileSync(join(config, `${name}.yaml`), processes.registryConfig(name, state));
  writeFileSync(join(config, 'resolver.Corefile'), processes.resolverConfig(egress ? hostResolvers() : []));
};

/** The host's name servers; behind the stub of systemd-resolved(8), the ones that it asks itself. */
const hostResolvers = (): readonly string[] => {
  for (const file of ['/etc/resolv.conf', '/run/systemd/resolve/resolv.conf']) {
    const found = existsSync(file) ? processes.reachableResolvers(readFileSync(file, 'utf8')) : [];
    if (found.length > 0) return found;
  }
  return [];
};

/** Starts a program in NAME-control unless it runs. */
const startPart = async (name: string, state: string, part: processes.Part): Promise<void> => {
  const [program, args] = inNamespace(namespaces(name).control, part.program, part.args);
  await startDaemon({
    name: part.name,
    program,
    args,
    cwd: '/',
    logFile: logFile(state, part.name),
    pidFile: pidFile(state, part.name),
  });
};

/** What may start at once; the two controllers give up unless the API server answers them. */
export const startServers = async (
  name: string,
  inputs: processes.Inputs,
  registry: string,
): Promise<void> => {
  for (const part of [
    processes.etcd(inputs),
    processes.apiServer(inputs),
    ...processes.REGISTRIES.map((one) => processes.registry(one, inputs, registry)),
    processes.resolver(inputs),
  ]) {
    await startPart(name, inputs.state, part);
  }
};

export const startControllers = async (name: string, inputs: processes.Inputs): Promise<void> => {
  await startPart(name, inputs.state, processes.controllerManager(inputs));
  await startPart(name, inputs.state, processes.scheduler(inputs));
};

const lastLines = (state: string, part: string): string =>
  readFileSync(logFile(state, part), 'utf8').trim().split('\n').slice(-5).join('\n');

/**
 * Waits until something answers, and no longer than its programs live.
 * @throws Error with the end of its log when a program has ended; TimeoutError
 */
export const untilAnswers = async (
  state: string,
  parts: readonly string[],
  what: string,
  answers: () => Promise<boolean>,
): Promise<void> => {
  const outcome = await until<{ readonly ended?: string } | undefined>(
    async () => {
      const ended = parts.find((part) => livePid(pidFile(state, part)) === undefined);
      if (ended !== undefined) return { ended };
      return (await answers()) ? {} : undefined;
    },
    { limitMs: 120_000, what, everyMs: 100 },
  );
  if (outcome.ended === undefined) return;
  throw new Error(
    `${outcome.ended} has ended; its log ${logFile(state, outcome.ended)} says:\n${lastLines(state, outcome.ended)}`,
  );
};

/** Waits until the API server is ready. @param port of the door on 127.0.0.1 */
export const waitForApi = async (state: string, port: number): Promise<void> => {
  const agent = new Agent({ connect: { ca: readFileSync(join(places(state).pki, 'ca.crt'), 'utf8') } });
  try {
    await untilAnswers(state, ['etcd', 'kube-apiserver', 'door'], 'the API server to be ready', async () => {
      const response = await request(`https://127.0.0.1:${port}/readyz`, {
        dispatcher: agent,
        headersTimeout: 5_000,
      });
      await response.body.dump();
      return response.statusCode === 200;
    });
  } finally {
    await agent.destroy();
  }
};

/** Waits until images can be pushed. @param url the registry's base URL as seen from here */
export const waitForRegistry = (state: string, url: string): Promise<void> =>
  untilAnswers(state, [...processes.REGISTRIES, 'door'], `the registry at ${url} to answer`, async () => {
    const response = await request(`${url}/v2/`);
    await response.body.dump();
    return response.statusCode === 200;
  });
