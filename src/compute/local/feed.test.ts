import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import { deliver, seedArchive } from './feed.ts';
import { connectIn } from './socket.ts';

const folder = mkdtempSync(join(tmpdir(), 'cloister-feed-'));
const closing: (() => void)[] = [];

afterEach(() => {
  for (const close of closing.splice(0)) close();
  rmSync(folder, { recursive: true, force: true });
});

it('a guest that answers without end is heard no longer than an answer takes', async () => {
  const senders = new Set<Socket>();
  const guest = createServer((socket) => {
    senders.add(socket);
    const more = (): void => {
      while (!socket.destroyed && socket.write(Buffer.alloc(65_536, 'x'))) {}
    };
    socket.on('drain', more).on('error', () => {});
    more();
  });
  await new Promise<void>((resolve) => void guest.listen(join(folder, 'seed.sock'), resolve));
  closing.push(() => {
    for (const socket of senders) socket.destroy();
    guest.close();
  });

  const stop = new AbortController();
  const began = performance.now();
  const answers: string[] = [];
  const delivery = deliver(
    () => connectIn(folder, 'seed.sock'),
    await seedArchive({ files: { '/etc/x': { content: 'x', mode: 0o600 } } }),
    stop.signal,
    (answer) => {
      answers.push(answer);
      stop.abort(new Error('enough'));
    },
  );
  await expect(delivery).rejects.toThrow('enough');
  expect(answers).toEqual(['the guest says more than an answer']);
  expect(performance.now() - began).toBeLessThan(5_000);
});
