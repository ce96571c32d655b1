import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect, createServer } from 'node:tls';
import { expect, it } from 'vitest';
import { type Identity, makeServing } from '../../test/support/pki.ts';
import { until } from '../host/wait.ts';
import { serveRenewed, servingPair } from './certificates.ts';

it('a certificate that is renewed in its file is served, once its key is there too', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'cloister-certificates-'));
  const files = { certificate: join(folder, 'tls.crt'), key: join(folder, 'tls.key') };
  const put = (part: keyof Identity, { [part]: text }: Identity): void => writeFileSync(files[part], text);
  const [before, after] = [await makeServing(['before']), await makeServing(['after'])];
  put('certificate', before);
  put('key', before);
  const pair = servingPair(files);
  const server = createServer({ cert: pair.certificate, key: pair.key }, (socket) => socket.end());
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const said: string[] = [];
  const log = { info: () => {}, error: (_: object, text: string) => void said.push(text) } as never;
  serveRenewed(server, files, log, 10);
  const subject = async (): Promise<unknown> => {
    const socket = connect({ port, host: '127.0.0.1', rejectUnauthorized: false });
    await once(socket, 'secureConnect');
    const { subject: found } = socket.getPeerCertificate();
    socket.destroy();
    return found.CN;
  };

  expect(await subject()).toBe('before');
  put('certificate', after);
  await until(() => said.length > 0, { limitMs: 5_000, what: 'the half-renewed pair to be looked at' });
  expect(await subject()).toBe('before');
  put('key', after);
  await until(async () => (await subject()) === 'after', { limitMs: 5_000, what: 'the renewed one' });

  server.close();
  rmSync(folder, { recursive: true });
});
