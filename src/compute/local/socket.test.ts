import { closeSync, constants, mkdtempSync, openSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { connectIn } from './socket.ts';

// A path longer than a socket's address may be: it is reached by way of the open directory.
const folder = mkdtempSync(join(tmpdir(), 'cloister-socket-'.repeat(7)));
const handle = openSync(folder, constants.O_RDONLY | constants.O_DIRECTORY);
const server = createServer((socket) => socket.end('heard'));

afterAll(() => {
  server.close();
  closeSync(handle);
  rmSync(folder, { recursive: true });
});

test('a socket is reached however long the path of its directory is', async () => {
  await new Promise<void>((resolve) => void server.listen(`/proc/self/fd/${handle}/x.sock`, resolve));
  const socket = await connectIn(folder, 'x.sock');
  const [heard] = await socket.setEncoding('utf8').toArray();
  expect(heard).toBe('heard');
});

test('without a listener the error is that of the connection', async () => {
  await expect(connectIn(folder, 'none.sock')).rejects.toMatchObject({ code: 'ENOENT' });
});
