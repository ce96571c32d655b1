/** Certificates that are renewed in their files while they are served. */
import { readFileSync } from 'node:fs';
import type { Server } from 'node:tls';
import type { Log } from '../kube/log.ts';

/** Paths of a certificate and its key, PEM. */
export interface ServingFiles {
  readonly certificate: string;
  readonly key: string;
}

/** Reads both. */
export const servingPair = ({ certificate, key }: ServingFiles): ServingFiles => ({
  certificate: readFileSync(certificate, 'utf8'),
  key: readFileSync(key, 'utf8'),
});

/** How often the files are looked at: who renews a certificate does so days before it ends. */
const EVERY_MS = 60_000;

/**
 * Has a server serve what comes to stand in the files, from the next connection on and until it closes. What cannot be
 * served, such as a certificate whose key is yet to be written, changes nothing.
 */
export const serveRenewed = (
  server: Pick<Server, 'setSecureContext' | 'once'>,
  files: ServingFiles,
  log: Log,
  everyMs = EVERY_MS,
): void => {
  let served = servingPair(files);
  const look = (): void => {
    try {
      const { certificate, key } = servingPair(files);
      if (certificate === served.certificate && key === served.key) return;
      server.setSecureContext({ cert: certificate, key });
      served = { certificate, key };
      log.info({ certificate: files.certificate }, 'a renewed certificate is served');
    } catch (cause) {
      log.error({ ...files, err: cause }, 'a renewed certificate cannot be served; the one before is');
    }
  };
  const timer = setInterval(look, everyMs);
  timer.unref();
  server.once('close', () => clearInterval(timer));
};
