/** How this program reaches an API server and says who it is. */
import { readFileSync } from 'node:fs';
import { type ExecPlugin, runPlugin } from './exec-plugin.ts';

/** An API server and an identity: certificate and key, or a token. Certificates and keys are PEM text. */
export interface KubeConfig {
  /** `https://host:port`, with a path where the API server stands behind a proxy. */
  readonly server: string;
  /** Who signed the server's certificate; without it the public authorities. */
  readonly ca?: string;
  /** Name that the server's certificate must carry, where it differs from the host in `server`. */
  readonly serverName?: string;
  readonly certificate?: string;
  readonly key?: string;
  readonly token?: string;
  /** File with a token that is renewed in place; wins over `token`. */
  readonly tokenFile?: string;
  /** Program that gives a token; asked when nothing else says who we are. */
  readonly exec?: ExecPlugin;
}

/** Kubelets renew a mounted token long before it ends; client-go rereads it once a minute as well. */
const REREAD_MS = 60_000;

/** How long before its end a plugin's token is not used any more: requests are on their way for a while. */
const BEFORE_END_MS = 60_000;

/** Something to read again at a time. */
interface Held {
  readonly header: string;
  readonly until: number;
}

/** Gives what was read last, until its time is over. */
const kept = (read: () => Held, now: () => number): (() => string) => {
  let held: Held | undefined;
  return () => {
    if (held === undefined || now() >= held.until) held = read();
    return held.header;
  };
};

/** Gives the `Authorization` header for a request made now. */
export const authorization = (
  config: KubeConfig,
  now: () => number = () => performance.now(),
): (() => string | undefined) => {
  const { tokenFile, token, certificate, exec } = config;
  if (tokenFile !== undefined)
    return kept(() => {
      const header = `Bearer ${readFileSync(tokenFile, 'utf8').trim()}`;
      return { header, until: now() + REREAD_MS };
    }, now);
  if (token === undefined && certificate === undefined && exec !== undefined)
    return kept(() => {
      const given = runPlugin(exec);
      return { header: `Bearer ${given.token}`, until: now() + given.lastsMs - BEFORE_END_MS };
    }, now);
  return () => (token === undefined ? undefined : `Bearer ${token}`);
};
