/**
 * The local balancer: one HAProxy in a network namespace of its own, for all balancers of a cluster. What it
 * serves is asked of it and never remembered, so that either process may be killed at any instruction.
 *
 * Listeners, routes and pools stand in its configuration, and another one is taken over by a new worker, which
 * gets the open sockets and the health of all targets from the old. Targets come and go by commands: a worker
 * per pod that comes or goes would keep an old one for every connection that lasts.
 */
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Balancing, type Pool, targetName } from '../../core/balancing/model.ts';
import { DRAIN_SECONDS } from '../../core/balancing/settings.ts';
import { exec } from '../../host/exec.ts';
import { addNamespace, inNamespace, ipBatch } from '../../host/namespace.ts';
import { livePid, startDaemon } from '../../host/process.ts';
import { until } from '../../host/wait.ts';
import type { Balanced, Balancer } from '../balancer.ts';
import {
  ADDED,
  addCommand,
  cutCommand,
  deleteCommand,
  drainCommand,
  isAdding,
  markOf,
  type ProxyFiles,
  parseServerStates,
  proxyConfig,
  returnCommand,
  type ServerState,
  serversOf,
  statesFor,
} from '../render/haproxy.ts';
import { certificateFolder } from './certificates.ts';
import { ask } from './command-socket.ts';
import { attach, route } from './router.ts';

/** Where and how HAProxy runs. */
export interface ProxySite {
  /** Network namespace, which exists. */
  readonly namespace: string;
  /** Folder of its configuration, sockets and log; made when it is missing. */
  readonly directory: string;
  /** Path of the program. */
  readonly program: string;
  /** Folder of the libraries that the host does not have. */
  readonly libraries?: string;
}

/** The router to attach to, and the range whose addresses the balancers have. */
export interface BalancerNetwork {
  readonly router: string;
  readonly namespace: string;
  /** The namespace's own address, in the range. */
  readonly address: string;
  readonly cidr: string;
}

/** Makes the namespace of the balancers. Every address of the range is its own, given to a balancer or not. */
export const makeBalancerNetwork = async (network: BalancerNetwork): Promise<void> => {
  const { router, namespace, address, cidr } = network;
  await addNamespace(namespace);
  await attach({ router, namespace, address });
  await route({ router, cidr, via: address });
  await ipBatch(namespace, [`route replace local ${cidr} dev lo`]);
};

/** How long HAProxy may take to start, or to put another worker in its place. */
const LIMIT_MS = 20_000;

/** A worker that answers: what it serves, and the states of its targets as it wrote them. */
interface Worker {
  readonly mark: string;
  readonly states: string;
}

/** Path of HAProxy's process record in the folder of a site. */
export const proxyPidFile = (directory: string): string => join(directory, 'haproxy.pid');

/** The local balancer at a site. */
export const localBalancer = (site: ProxySite): Balancer => {
  const { directory } = site;
  const files: ProxyFiles = {
    socket: join(directory, 'commands.sock'),
    jail: join(directory, 'jail'),
    states: join(directory, 'states'),
    certificates: join(directory, 'certificates'),
  };
  const config = join(directory, 'haproxy.cfg');
  const pidFile = proxyPidFile(directory);
  const logFile = join(directory, 'haproxy.log');
  const env: Readonly<Record<string, string>> =
    site.libraries === undefined ? {} : { LD_LIBRARY_PATH: site.libraries };
  const command = (args: readonly string[]) => inNamespace(site.namespace, site.program, args);

  const check = async (file: string): Promise<void> => {
    const [program, args] = command(['-c', '-q', '-f', file]);
    await exec(program, args, { env });
  };
  const certificates = certificateFolder(files.certificates, check);

  const look = async (): Promise<Worker> => {
    const info = await ask(files.socket, 'show info');
    const states = await ask(files.socket, 'show servers state');
    return { mark: /^description: (\S+)/m.exec(info)?.[1] ?? '', states };
  };

  const untilServes = (mark: string): Promise<Worker> =>
    until(
      async () => {
        if (livePid(pidFile) === undefined) return { mark: '', states: '' };
        const worker = await look();
        return worker.mark === mark ? worker : undefined;
      },
      { limitMs: LIMIT_MS, what: `HAProxy in ${site.namespace} to serve configuration ${mark}` },
    );

  const served = async (mark: string): Promise<Worker> => {
    const worker = await untilServes(mark);
    if (worker.mark === mark) return worker;
    throw new Error(`HAProxy has ended; its log ${logFile} says: ${lastLines(logFile)}`);
  };

  /** Puts the configuration in place once HAProxy itself has found no fault in it. */
  const write = async (balancing: Balancing, states: string): Promise<void> => {
    const known = new Set(
      parseServerStates(states)
        .filter(({ draining }) => !draining)
        .map(keyOf),
    );
    const kept = (pool: Pool) =>
      serversOf(pool).filter(({ name }) => known.has(keyOf({ pool: pool.name, server: name })));
    for (const folder of [directory, files.jail]) mkdirSync(folder, { recursive: true, mode: 0o755 });
    writeFileSync(files.states, statesFor(states, balancing.pools));
    writeFileSync(`${config}.new`, proxyConfig(balancing, files, kept), { mode: 0o600 });
    certificates.write(balancing);
    await check(`${config}.new`);
    renameSync(`${config}.new`, config);
  };

  const start = async (balancing: Balancing): Promise<Worker> => {
    await write(balancing, '');
    rmSync(files.socket, { force: true });
    const [program, args] = command(['-W', '-f', config]);
    await startDaemon({ name: 'HAProxy', program, args, env, cwd: '/', logFile, pidFile });
    return served(markOf(balancing));
  };

  /** SIGUSR2 has the master start a worker with the new configuration; the old one ends with its connections. */
  const replace = async (balancing: Balancing, master: number, states: string): Promise<Worker> => {
    await write(balancing, states);
    process.kill(master, 'SIGUSR2');
    return served(markOf(balancing));
  };

  /** @throws Error when HAProxy does not take a server that is to come: it would get nothing, and nobody would know */
  const tell = async (line: string): Promise<void> => {
    const answer = await ask(files.socket, line);
    if (isAdding(line) && !answer.startsWith(ADDED))
      throw new Error(`HAProxy in ${site.namespace} does not do ${line}: ${answer.trim()}`);
  };

  const workerFor = async (balancing: Balancing): Promise<Worker> => {
    const master = livePid(pidFile);
    if (master === undefined) return start(balancing);
    const worker = await until(look, { limitMs: LIMIT_MS, what: `HAProxy in ${site.namespace} to answer` });
    return worker.mark === markOf(balancing) ? worker : replace(balancing, master, worker.states);
  };

  return {
    apply: async (wanted) => {
      const { balancing, refused } = await certificates.usable(wanted);
      if (balancing.listeners.length === 0 && livePid(pidFile) === undefined) return { ...IDLE, refused };
      const worker = await workerFor(balancing);
      for (const line of commands(balancing, parseServerStates(worker.states))) await tell(line);
      certificates.tidy(balancing);
      return {
        ...told(balancing, parseServerStates(await ask(files.socket, 'show servers state'))),
        refused,
      };
    },
  };
};

/** How targets are. */
type Told = Omit<Balanced, 'refused'>;

/** Nothing is to be balanced, and nothing runs. */
const IDLE: Told = { healthy: () => false, settled: true };

const lastLines = (file: string): string =>
  existsSync(file) ? readFileSync(file, 'utf8').trim().split('\n').slice(-5).join('; ') : 'nothing';

const keyOf = ({ pool, server }: Pick<ServerState, 'pool' | 'server'>): string => `${pool}/${server}`;

const leave = (
  { pool, server, draining, sinceSeconds }: ServerState,
  drainSeconds: number,
): readonly string[] => [
  ...(draining ? [] : [drainCommand(pool, server)]),
  ...(draining && sinceSeconds >= drainSeconds ? [cutCommand(pool, server)] : []),
  // Refused while connections are left; the next look tries again.
  deleteCommand(pool, server),
];

/**
 * What turns the servers that a worker knows into those of the pools: first what comes, then what leaves, so that no
 * pool is without any in between.
 */
const commands = ({ pools }: Balancing, states: readonly ServerState[]): readonly string[] => {
  const known = new Map(states.map((state) => [keyOf(state), state]));
  const coming = pools.flatMap((pool) =>
    serversOf(pool).flatMap((server) => {
      const key = keyOf({ pool: pool.name, server: server.name });
      const state = known.get(key);
      known.delete(key);
      if (state === undefined) return [addCommand(pool, server)];
      return state.draining ? [returnCommand(pool, server)] : [];
    }),
  );
  const drains = new Map(pools.map(({ name, drainSeconds }) => [name, drainSeconds]));
  const leaving = [...known.values()].flatMap((state) =>
    // Nobody knows any more what a pool that is gone asked for.
    leave(state, drains.get(state.pool) ?? DRAIN_SECONDS),
  );
  return [...coming, ...leaving];
};

const told = ({ pools }: Balancing, states: readonly ServerState[]): Told => {
  const healthy = new Set(states.filter((state) => state.healthy).map(keyOf));
  const isHealthy = (pool: string, target: string): boolean => healthy.has(keyOf({ pool, server: target }));
  const all = pools.every(({ name, targets }) =>
    targets.every((target) => isHealthy(name, targetName(target))),
  );
  return { healthy: isHealthy, settled: all && states.every(({ draining }) => !draining) };
};
