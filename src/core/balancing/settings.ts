/** How a pool treats its targets, by annotations with the original's names and limits. */
import { ALB, NLB } from './annotations.ts';
import type { Pool } from './model.ts';

type Annotations = Readonly<Record<string, string>>;

/** What they say. */
export type Settings = Pick<Pool, 'tls' | 'proxyProtocol' | 'drainSeconds'>;

/** Settings of a pool, and a sentence for each annotation that cannot be followed. */
export interface SettingsOutcome {
  readonly settings: Settings;
  readonly problems: readonly string[];
}

/** How long a target that left may keep its connections (AWS "Deregistration delay", the default). */
export const DRAIN_SECONDS = 300;

const DRAIN = 'deregistration_delay.timeout_seconds';
const PROXY = 'proxy_protocol_v2.enabled';

/** Attributes whose default is what is so here, and that default. */
const SO_ANYWAY: Readonly<Record<string, string>> = {
  'stickiness.enabled': 'false',
  'preserve_client_ip.enabled': 'false',
  'slow_start.duration_seconds': '0',
  'load_balancing.algorithm.type': 'round_robin',
};

const pairsIn = (text: string): readonly (readonly [key: string, value: string])[] =>
  text
    .split(',')
    .filter((part) => part.trim() !== '')
    .map((part) => {
      const [key = '', ...value] = part.split('=');
      return [key.trim(), value.join('=').trim()];
    });

const isDelay = (text: string): boolean => /^\d{1,4}$/.test(text) && Number(text) <= 3600;

/** Reads the list of attributes; `kind` says which there are. */
const attributesIn = (kind: 'Service' | 'Ingress', where: string, text: string) => {
  const found = new Map(pairsIn(text));
  const problems: string[] = [];
  for (const [key, value] of found) {
    const known =
      key === DRAIN
        ? isDelay(value)
        : kind === 'Service' && key === PROXY && ['true', 'false'].includes(value);
    if (known || SO_ANYWAY[key] === value) continue;
    const form =
      key === DRAIN
        ? 'must be seconds from 0 to 3600'
        : 'has no effect here: remove it, if no other cluster needs it';
    problems.push(`${key}=${value} in the annotation ${where} ${form}`);
  }
  const delay = found.get(DRAIN) ?? '';
  return {
    drainSeconds: isDelay(delay) ? Number(delay) : DRAIN_SECONDS,
    proxyProtocol: found.get(PROXY) === 'true',
    problems,
  };
};

const tlsIn = (annotations: Annotations, problems: string[]): boolean => {
  const key = `${ALB}backend-protocol`;
  const text = annotations[key] ?? 'HTTP';
  if (text !== 'HTTP' && text !== 'HTTPS')
    problems.push(`the annotation ${key} is ${JSON.stringify(text)} and must be HTTP or HTTPS`);
  return text === 'HTTPS';
};

/**
 * The settings that annotations ask for; later ones count before earlier ones.
 * @param kind of the object whose annotations they are
 */
export const settingsOf = (
  kind: 'Service' | 'Ingress',
  ...sources: readonly Annotations[]
): SettingsOutcome => {
  const annotations = Object.assign({}, ...sources) as Annotations;
  const where = `${kind === 'Service' ? NLB : ALB}target-group-attributes`;
  const { problems, ...attributes } = attributesIn(kind, where, annotations[where] ?? '');
  if (kind === 'Ingress') return { settings: { ...attributes, tls: tlsIn(annotations, problems) }, problems };
  const key = `${NLB}proxy-protocol`;
  const { [key]: proxy } = annotations;
  if (proxy !== undefined && proxy !== '*')
    problems.push(`the annotation ${key} is ${JSON.stringify(proxy)} and must be "*"`);
  return {
    settings: { ...attributes, proxyProtocol: proxy === '*' || attributes.proxyProtocol, tls: false },
    problems,
  };
};
