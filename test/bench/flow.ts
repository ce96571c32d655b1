/**
 * One end of a measured connection, run in the namespace that it stands for, or in a guest.
 *
 *   serve PORT...                   takes connections on these ports, and whatever they bring
 *   connect ADDRESS PORT COUNT      prints the median time of a connection's set-up, in microseconds
 *   pour ADDRESS PORT MILLISECONDS  prints what one connection carried, in bytes per second
 *   turns ADDRESS PORT...           goes on for ever: measures by whichever of the ports is open at the time, and
 *                                   prints {port, setUpMicros, bytesPerSecond} as a line of JSON each time
 */
import { connect, createServer, type Socket } from 'node:net';
import { median } from '../../src/core/statistics.ts';

/** Longer than any answer takes; less than the second after which TCP asks again, so that a lost packet shows. */
const LIMIT_MS = 700;

/** Of each of the `turns`. */
const SET_UPS = 30;
const POUR_MS = 500;

/** A connection that ends with an error when nothing moves on it for the limit. */
const opened = (address: string, port: number): Promise<Socket> =>
  new Promise((resolve, reject) => {
    const socket = connect({ host: address, port, noDelay: true });
    socket.setTimeout(LIMIT_MS, () => socket.destroy(new Error(`nothing from ${address}:${port}`)));
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

const drained = (socket: Socket): Promise<void> =>
  new Promise((resolve, reject) => {
    socket.once('error', reject).once('drain', () => {
      socket.off('error', reject);
      resolve();
    });
  });

const poured = async (address: string, port: number, ms: number): Promise<number> => {
  const socket = await opened(address, port);
  const chunk = Buffer.alloc(256 * 1024);
  const began = performance.now();
  while (performance.now() - began < ms) if (!socket.write(chunk)) await drained(socket);
  const sent = socket.bytesWritten - socket.writableLength;
  const seconds = (performance.now() - began) / 1000;
  socket.resetAndDestroy();
  return sent / seconds;
};

/** @returns undefined when the port was closed at the time, or became so */
const turn = async (address: string, port: number): Promise<object | undefined> => {
  try {
    const setUpMicros = await setUps(address, port, SET_UPS);
    return { port, setUpMicros, bytesPerSecond: await poured(address, port, POUR_MS) };
  } catch {
    return undefined;
  }
};

const turns = async (address: string, ports: readonly number[]): Promise<never> => {
  for (;;) {
    for (const port of ports) {
      let measured = await turn(address, port);
      while (measured !== undefined) {
        process.stdout.write(`${JSON.stringify(measured)}\n`);
        measured = await turn(address, port);
      }
    }
  }
};

const serve = (port: number): void => {
  const server = createServer((socket) => {
    socket.on('error', () => {}); // the other end resets when it has measured
    socket.resume();
  });
  server.listen(port, '0.0.0.0');
};

const [what, ...rest] = process.argv.slice(2);
if (what === 'serve') for (const port of rest) serve(Number(port));
else if (what === 'turns') await turns(rest[0] ?? '', rest.slice(1).map(Number));
else {
  const [address = '', port, amount] = rest;
  const measure = what === 'connect' ? setUps : poured;
  process.stdout.write(`${await measure(address, Number(port), Number(amount))}\n`);
}
