import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { until } from '../host/wait.ts';
import { connectIn } from './local/socket.ts';
import { openQmp, QmpError } from './qmp.ts';

// A path longer than a socket's address may be: it is reached by way of the open directory.
const folder = mkdtempSync(join(tmpdir(), `${'qmp-'.repeat(30)}`));
let qemu: ReturnType<typeof spawn>;

beforeAll(() => {
  const machine = ['-machine', 'none', '-nodefaults', '-no-user-config', '-display', 'none'];
  qemu = spawn('qemu-system-x86_64', [...machine, '-qmp', 'unix:qmp.sock,server=on,wait=off'], {
    cwd: folder,
    stdio: 'ignore',
  });
});

afterAll(() => {
  qemu.kill('SIGKILL');
  rmSync(folder, { recursive: true });
});

const connected = () =>
  until(() => connectIn(folder, 'qmp.sock'), { limitMs: 20_000, what: 'QEMU to open its monitor' });

test('speaks with a real QEMU: status, refusals by class, and quit', async () => {
  const qmp = await openQmp(await connected());
  expect(await qmp.run('query-status')).toMatchObject({ running: true });
  await qmp.run('stop');
  expect(await qmp.run('query-status')).toMatchObject({ running: false, status: 'paused' });
  const refusal = await qmp.run('qmp_capabilities').catch((cause: unknown) => cause);
  expect(refusal).toBeInstanceOf(QmpError);
  expect((refusal as QmpError).kind).toBe('CommandNotFound');
  await qmp.run('quit');
  await until(() => qemu.exitCode !== null, { limitMs: 10_000, what: 'QEMU to end' });
  await expect(qmp.run('query-status')).rejects.toThrow();
});
