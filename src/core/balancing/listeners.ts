/** The ports that Ingresses listen on. */
import { parseJson } from '../json.ts';
import { ALB_LISTEN_PORTS, ALB_SSL_REDIRECT } from './annotations.ts';
import { asksForAcm, namesCertificates } from './certificates.ts';
import type { StoredIngress } from './claims.ts';
import type { Problem } from './model.ts';
import { inWords, originOf } from './origins.ts';

type Protocol = 'HTTP' | 'HTTPS';

/** A port, what it speaks, and the Ingresses that have it, in their order. */
export interface ListenPort {
  readonly port: number;
  readonly protocol: Protocol;
  readonly ingresses: readonly [StoredIngress, ...StoredIngress[]];
}

/** The ports of Ingresses that share an address, and what cannot be had. */
export interface ListenPorts {
  readonly ports: readonly ListenPort[];
  /** Port with HTTPS to which all with HTTP send their clients. */
  readonly redirect: number | undefined;
  readonly problems: readonly Problem[];
}

const FORM = `[{"HTTP": 80}, {"HTTPS": 443}]`;

type Entry = readonly [protocol: Protocol, port: number];

const isEntry = (entry: readonly [string, unknown]): entry is readonly [Protocol, number] => {
  const [protocol, port] = entry;
  const known = protocol === 'HTTP' || protocol === 'HTTPS';
  return known && Number.isInteger(port) && Number(port) >= 1 && Number(port) <= 65_535;
};

const entriesIn = (text: string): readonly Entry[] | undefined => {
  const list = parseJson(text);
  if (!Array.isArray(list) || list.length === 0) return undefined;
  const entries = list.flatMap((entry: unknown): [string, unknown][] => Object.entries(entry ?? {}));
  return entries.every(isEntry) ? (entries as unknown as readonly Entry[]) : undefined;
};

/**
 * What the annotation `listen-ports` says; undefined when that makes no sense. Without it, HTTPS on 443 for who
 * names a certificate, and HTTP on 80 for all others (AWS Load Balancer Controller, "Ingress annotations").
 */
const entriesOf = (ingress: StoredIngress): readonly Entry[] | undefined => {
  const text = ingress.metadata.annotations?.[ALB_LISTEN_PORTS];
  if (text !== undefined) return entriesIn(text);
  return namesCertificates(ingress) || asksForAcm(ingress) ? [['HTTPS', 443]] : [['HTTP', 80]];
};

/** Reads the ports of Ingresses that share an address. Of two protocols for a port the first counts. */
export const listenPorts = (ingresses: readonly StoredIngress[]): ListenPorts => {
  const byPort = new Map<number, ListenPort>();
  const problems: Problem[] = [];
  for (const ingress of ingresses) {
    const tell = (message: string) => problems.push({ origin: originOf('Ingress', ingress), message });
    const entries = entriesOf(ingress);
    if (entries === undefined) {
      const text = JSON.stringify(ingress.metadata.annotations?.[ALB_LISTEN_PORTS]);
      tell(`the annotation ${ALB_LISTEN_PORTS} is ${text} and must be like ${FORM}`);
    }
    for (const [protocol, port] of entries ?? []) {
      const known = byPort.get(port);
      if (known !== undefined && known.protocol !== protocol) {
        const first = inWords(originOf('Ingress', known.ingresses[0]));
        tell(
          `${protocol} on port ${port} does not count: ${first} has ${known.protocol} there. Choose another port`,
        );
      } else if (!known?.ingresses.includes(ingress))
        byPort.set(port, { port, protocol, ingresses: known ? [...known.ingresses, ingress] : [ingress] });
    }
  }
  const ports = [...byPort.values()];
  const { redirect, wrong } = redirectOf(ingresses, ports);
  return { ports, redirect, problems: [...problems, ...wrong] };
};

/** The annotation `ssl-redirect` of one Ingress is for all that share its address. */
const redirectOf = (
  ingresses: readonly StoredIngress[],
  ports: readonly ListenPort[],
): { readonly redirect: number | undefined; readonly wrong: readonly Problem[] } => {
  const asking = ingresses.flatMap((ingress) => {
    const text = ingress.metadata.annotations?.[ALB_SSL_REDIRECT];
    const found = ports.find(({ port, protocol }) => protocol === 'HTTPS' && `${port}` === text);
    return text === undefined ? [] : [{ ingress, text, port: found?.port }];
  });
  const wrong = asking
    .filter(({ port }) => port === undefined)
    .map(({ ingress, text }) => ({
      origin: originOf('Ingress', ingress),
      message: `the annotation ${ALB_SSL_REDIRECT} is ${JSON.stringify(text)} and must be a port with HTTPS in ${ALB_LISTEN_PORTS}, such as 443`,
    }));
  return { redirect: asking.find(({ port }) => port !== undefined)?.port, wrong };
};
