/**
 * The door between this host and NAME-control: listening sockets on the host's 127.0.0.1, handed to a process
 * that runs inside the namespace, so that what it opens on behalf of each connection starts there. The host
 * gets no address in the cluster's network, and the cluster none on the host.
 */
import { createServer, type Server } from 'node:net';
import { inNamespace } from '../host/namespace.ts';
import { livePid, startDaemon } from '../host/process.ts';
import { ROOT, scriptCommand } from '../host/script.ts';

/** One way in. */
export interface Way {
  readonly name: string;
  /** Port on 127.0.0.1; 0 asks for any free one. */
  readonly port: number;
  /** `address:port` as seen from inside the namespace. */
  readonly target: string;
}

/** Where the process runs and what it leaves behind. */
export interface DoorPlace {
  readonly namespace: string;
  readonly logFile: string;
  readonly pidFile: string;
}

const listen = (way: Way): Promise<Server> =>
  new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', (cause: NodeJS.ErrnoException) =>
      reject(
        cause.code === 'EADDRINUSE'
          ? new Error(
              `port ${way.port} on 127.0.0.1 is taken: see who has it with \`ss -ltnp sport = :${way.port}\` and ` +
                'stop that, or choose another port with --api-port',
              { cause },
            )
          : new Error(`cannot listen on 127.0.0.1:${way.port}: ${cause.message}`, { cause }),
      ),
    );
    server.listen({ host: '127.0.0.1', port: way.port }, () => resolve(server));
  });

/** The descriptor of a listening socket. Node.js has no documented way to it; every version since 0.x has this one. */
const descriptor = (server: Server): number =>
  (server as unknown as { readonly _handle: { readonly fd: number } })._handle.fd;

const portOf = (server: Server): number => (server.address() as { port: number }).port;

/**
 * Opens all ways, unless the door stands open already. Resolves with the port of each way by its name.
 * @param ports ports of a door that is already open
 * @throws Error when a port is taken
 */
export const openDoor = async (
  ways: readonly Way[],
  place: DoorPlace,
  ports: Readonly<Record<string, number>> = {},
): Promise<Readonly<Record<string, number>>> => {
  if (livePid(place.pidFile) !== undefined) return ports;
  const servers: Server[] = [];
  try {
    for (const way of ways) servers.push(await listen(way));
    const [script, args] = scriptCommand(
      'src/cluster/door-main.ts',
      ways.map((way) => way.target),
    );
    const [program, all] = inNamespace(place.namespace, script, args);
    await startDaemon({
      name: 'door',
      program,
      args: all,
      cwd: ROOT,
      logFile: place.logFile,
      pidFile: place.pidFile,
      inherit: servers.map(descriptor),
    });
    return Object.fromEntries(ways.map((way, index) => [way.name, portOf(servers[index] as Server)]));
  } finally {
    for (const server of servers) server.close();
  }
};
