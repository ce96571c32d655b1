/**
 * One end of a measured connection, run in the namespace that it stands for.
 *
 *   serve PORT                      takes connections, and whatever they bring
 *   connect ADDRESS PORT COUNT      prints the median time of a connection's set-up, in microseconds
 *   pour ADDRESS PORT MILLISECONDS  prints what one connection carried, in bytes per second
 */
import { connect, createServer, type Socket } from 'node:net';
import { median } from '../../src/core/statistics.ts';

const opened = (address: string, port: number): Promise<Socket> =>
  new Promise((resolve, reject) => {
    const socket = connect({ host: address, port, noDelay: true });
    socket.once('connect', () => resolve(socket)).once('error', reject);
  });

const setUps = async (address: string, port: number, count: number): Promise<number> => {
  const times: number[] = [];
  for (let i = 0; i < count; i += 1) {
    const began = performance.now();
    const socket = await opened(address, port);
    times.push((performance.now() - began) * 1000);
    // Reset, so that no port is held by a connection that has ended.
    socket.resetAndDestroy();
  }
  return median(times);
};

const poured = async (address: string, port: number, ms: number): Promise<number> => {
  const socket = await opened(address, port);
  const chunk = Buffer.alloc(256 * 1024);
  const began = performance.now();
  while (performance.now() - began < ms) {
    if (!socket.write(chunk)) await new Promise((resolve) => socket.once('drain', resolve));
  }
  const sent = socket.bytesWritten - socket.writableLength;
  const seconds = (performance.now() - began) / 1000;
  socket.resetAndDestroy();
  return sent / seconds;
};

const [what, ...rest] = process.argv.slice(2);
if (what === 'serve') {
  const server = createServer((socket) => {
    socket.on('error', () => {}); // the other end resets when it has measured
    socket.resume();
  });
  server.listen(Number(rest[0]), '0.0.0.0');
} else {
  const [address = '', port, amount] = rest;
  const measure = what === 'connect' ? setUps : poured;
  process.stdout.write(`${await measure(address, Number(port), Number(amount))}\n`);
}
