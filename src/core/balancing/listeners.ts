/** The ports that Ingresses listen on. */
import { ALB_LISTEN_PORTS } from './annotations.ts';
import type { StoredIngress } from './claims.ts';

/** Ports with HTTP, and a sentence for each that cannot be had. */
export interface ListenPorts {
  readonly ports: readonly number[];
  readonly problems: readonly string[];
}

const FORM = `[{"HTTP": 80}, {"HTTP": 8080}]`;

const entriesOf = (text: string): readonly (readonly [string, unknown])[] | undefined => {
  try {
    const list: unknown = JSON.parse(text);
    if (!Array.isArray(list) || list.length === 0) return undefined;
    return list.flatMap((entry: unknown) => Object.entries(entry ?? {}));
  } catch {
    return undefined; // no JSON: told as every other wrong form
  }
};

const isPort = (value: unknown): value is number =>
  Number.isInteger(value) && Number(value) >= 1 && Number(value) <= 65_535;

/** Reads the annotation `listen-ports`; without it, HTTP on port 80 (AWS Load Balancer Controller, "Ingress annotations"). */
export const listenPorts = ({ metadata }: StoredIngress): ListenPorts => {
  const text = metadata.annotations?.[ALB_LISTEN_PORTS];
  if (text === undefined) return { ports: [80], problems: [] };
  const entries = entriesOf(text);
  if (entries === undefined || entries.some(([, port]) => !isPort(port)))
    return {
      ports: [],
      problems: [`the annotation ${ALB_LISTEN_PORTS} is ${JSON.stringify(text)} and must be like ${FORM}`],
    };
  const ports = entries.filter(([protocol]) => protocol === 'HTTP').map(([, port]) => port as number);
  const problems = entries
    .filter(([protocol]) => protocol !== 'HTTP')
    .map(
      ([protocol, port]) =>
        `${protocol} on port ${port} is not served: the balancers of this cluster hold no certificates. Let the pods speak TLS behind a Service of type LoadBalancer, or listen with HTTP`,
    );
  return { ports: [...new Set(ports)], problems };
};
