/**
 * Certificates with their keys as files that HAProxy reads when a worker starts. Of each that is new HAProxy is
 * asked first whether it takes it: one that it refuses would keep it from taking anything over.
 */
import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { withoutCertificates } from '../../core/balancing/certificates.ts';
import type { Balancing, Certificate } from '../../core/balancing/model.ts';
import { ExecError } from '../../host/exec.ts';
import { certificateCheck, certificateFiles } from '../render/haproxy.ts';

/** The folder's files, readable by nobody but their owner. */
export interface CertificateFolder {
  /** What HAProxy can do of it, and which certificates it refuses. */
  usable(
    balancing: Balancing,
  ): Promise<{ readonly balancing: Balancing; readonly refused: readonly Certificate[] }>;
  /** Writes what a configuration names. */
  write(balancing: Balancing): void;
  /** Removes what is named no more. */
  tidy(balancing: Balancing): void;
}

/**
 * @param folder made when something is to be in it
 * @param check has HAProxy judge a configuration file; rejects with ExecError when it finds a fault
 */
export const certificateFolder = (
  folder: string,
  check: (config: string) => Promise<unknown>,
): CertificateFolder => {
  /** Judgements by what was judged: they hold for as long as HAProxy is the same, so for this process's life. */
  let judged: ReadonlyMap<string, boolean> = new Map();
  const place = (): void => void mkdirSync(folder, { recursive: true, mode: 0o700 });
  const put = (path: string, content: string): void => writeFileSync(path, content, { mode: 0o600 });

  const takes = async ({ pem }: Certificate): Promise<boolean> => {
    const [config, file] = [join(folder, 'check.cfg'), join(folder, 'check.pem')];
    place();
    try {
      put(file, pem);
      put(config, certificateCheck(file));
      await check(config);
      return true;
    } catch (cause) {
      if (cause instanceof ExecError && cause.code !== null) return false;
      throw cause;
    } finally {
      for (const path of [config, file]) rmSync(path, { force: true });
    }
  };

  return {
    usable: async (balancing) => {
      const wanted = balancing.listeners.flatMap((one) => (one.kind === 'https' ? one.certificates : []));
      const now = new Map<string, boolean>();
      for (const one of wanted)
        now.set(one.pem, now.get(one.pem) ?? judged.get(one.pem) ?? (await takes(one)));
      judged = now;
      const refused = wanted.filter(({ pem }) => now.get(pem) === false);
      return { balancing: withoutCertificates(balancing, refused), refused };
    },
    write: (balancing) => {
      for (const { path, content } of certificateFiles(balancing, folder)) {
        place();
        put(path, content);
      }
    },
    tidy: (balancing) => {
      const named = new Set(certificateFiles(balancing, folder).map(({ path }) => path));
      if (!existsSync(folder)) return;
      if (named.size === 0) return rmSync(folder, { recursive: true });
      for (const path of readdirSync(folder).map((name) => join(folder, name)))
        if (!named.has(path)) rmSync(path);
    },
  };
};
