/** The process of the door (`door.ts`): serves the listening sockets 3, 4, … for the targets in its arguments. */
import { connect, createServer, type Socket } from 'node:net';

/** Copies bytes both ways until both sides have ended; an error on one side ends the other. */
const join = (client: Socket, target: string): void => {
  const [host, port] = target.split(':');
  const server = connect({ host, port: Number(port), allowHalfOpen: true, noDelay: true });
  client.setNoDelay(true);
  for (const [from, to] of [
    [client, server],
    [server, client],
  ] as const) {
    from.pipe(to);
    from.on('error', () => to.destroy());
    from.on('close', (failed) => (failed ? to.destroy() : to.end()));
  }
};

for (const [index, target] of process.argv.slice(2).entries()) {
  createServer({ allowHalfOpen: true }, (client) => join(client, target)).listen({ fd: 3 + index });
}
