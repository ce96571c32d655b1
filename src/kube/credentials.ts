/** How this program reaches an API server and says who it is. */
import { readFileSync } from 'node:fs';

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
}

/** Kubelets renew a mounted token long before it ends; client-go rereads it once a minute as well. */
const REREAD_MS = 60_000;

/** Gives the `Authorization` header for a request made now. */
export const authorization = (
  config: KubeConfig,
  now: () => number = () => performance.now(),
): (() => string | undefined) => {
  const { tokenFile, token } = config;
  if (tokenFile === undefined) return () => (token === undefined ? undefined : `Bearer ${token}`);
  let held: { readonly header: string; readonly readAt: number } | undefined;
  return () => {
    if (held === undefined || now() - held.readAt >= REREAD_MS) {
      held = { header: `Bearer ${readFileSync(tokenFile, 'utf8').trim()}`, readAt: now() };
    }
    return held.header;
  };
};
