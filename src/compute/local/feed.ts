/** Delivering seeds to a guest by its virtio port. */
import { createHash } from 'node:crypto';
import type { Socket } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { pack } from 'tar-stream';
import type { Seed } from '../provider.ts';

/** The seed as a tar archive; entries carry their absolute path below `.`. */
export const seedArchive = async (seed: Seed): Promise<Buffer> => {
  const archive = pack();
  for (const [path, { content, mode }] of Object.entries(seed.files)) {
    archive.entry({ name: `.${path}`, mode, mtime: new Date(0) }, content);
  }
  archive.finalize();
  return buffer(archive);
};

/**
 * Characters that one attempt hears of a guest, which whoever is root there writes: room for many answers to earlier
 * senders, and none for filling this program's memory.
 */
const HEARD_MOST = 16_384;

/** Sends one frame and gives the guest's answer: `ok`, or why it is to be sent again. */
const exchange = (socket: Socket, archive: Buffer, limitMs: number, signal: AbortSignal): Promise<string> =>
  new Promise((resolve, reject) => {
    const sum = createHash('sha256').update(archive).digest('hex');
    const abort = (): void => {
      clearTimeout(timer);
      socket.destroy();
      reject(signal.reason as Error);
    };
    signal.addEventListener('abort', abort, { once: true });
    const timer = setTimeout(() => end(`none within ${limitMs / 1000} s`), limitMs);
    const end = (result: string): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', abort);
      socket.destroy();
      resolve(result);
    };
    socket.on('error', (cause) => end(cause.message)).on('close', () => end('the connection was closed'));
    let heard = 0;
    let begun = '';
    socket.setEncoding('latin1').on('data', (chunk: string) => {
      heard += chunk.length;
      if (heard > HEARD_MOST) return end('the guest says more than an answer');
      const lines = (begun + chunk).split('\n');
      begun = lines.pop() ?? '';
      for (const line of lines) {
        const [word, ...rest] = line.trim().split(' ');
        // An answer to an earlier sender, who went before it came, has another sum.
        if (word === 'OK' && rest[0] === sum) end('ok');
        else if (word === 'ERR') end(rest.join(' '));
      }
    });
    socket.write(`SEED ${archive.length} ${sum}\n`);
    socket.write(archive);
  });

/** The first attempt's limit; each further one has twice as long, up to the longest. Milliseconds. */
const FIRST_ATTEMPT_MS = 10_000;
const LONGEST_ATTEMPT_MS = 60_000;

/** Between attempts the guest has to notice that its port was closed, for that ends a frame that it waits for. */
const PAUSE_MS = 500;

/**
 * Delivers an archive, again and again if need be: a guest that still boots has not opened its port, and one
 * whose last sender went in the middle of a frame takes the beginning of this one for the rest of that. An answer
 * to an attempt that was given up reaches the next one, for it names the archive.
 * @param refused is told why an attempt failed
 * @throws the reason of `signal` when it aborts
 */
export const deliver = async (
  open: () => Promise<Socket>,
  archive: Buffer,
  signal: AbortSignal,
  refused: (answer: string) => void,
): Promise<void> => {
  for (let limitMs = FIRST_ATTEMPT_MS; ; limitMs = Math.min(2 * limitMs, LONGEST_ATTEMPT_MS)) {
    signal.throwIfAborted();
    const answer = await open().then(
      (socket) => exchange(socket, archive, limitMs, signal),
      (cause: Error) => cause.message,
    );
    if (answer === 'ok') return;
    refused(answer);
    await sleep(PAUSE_MS);
  }
};
