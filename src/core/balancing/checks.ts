/** Health checks by annotations, with the original's defaults and limits (AWS "Health checks for target groups"). */
import { ALB, NLB } from './annotations.ts';
import type { HealthCheck } from './model.ts';

/** The check of a pool, and a sentence for each annotation that cannot be followed. */
export interface CheckOutcome {
  readonly check: HealthCheck;
  readonly problems: readonly string[];
}

type Annotations = Readonly<Record<string, string>>;

/** Names of the annotations, which differ between the two kinds, and what counts without them. */
interface Dialect {
  readonly prefix: string;
  readonly interval: string;
  readonly timeout: string;
  readonly healthy: string;
  readonly unhealthy: string;
  readonly codes: string;
  readonly defaults: HealthCheck;
}

const COMMON = { path: '/', port: undefined };

const DIALECTS: Readonly<Record<'Service' | 'Ingress', Dialect>> = {
  Service: {
    prefix: NLB,
    interval: 'healthcheck-interval',
    timeout: 'healthcheck-timeout',
    healthy: 'healthcheck-healthy-threshold',
    unhealthy: 'healthcheck-unhealthy-threshold',
    codes: 'healthcheck-success-codes',
    defaults: {
      ...COMMON,
      protocol: 'tcp',
      successCodes: '200-399',
      intervalSeconds: 10,
      timeoutSeconds: 10,
      healthyThreshold: 3,
      unhealthyThreshold: 3,
    },
  },
  Ingress: {
    prefix: ALB,
    interval: 'healthcheck-interval-seconds',
    timeout: 'healthcheck-timeout-seconds',
    healthy: 'healthy-threshold-count',
    unhealthy: 'unhealthy-threshold-count',
    codes: 'success-codes',
    defaults: {
      ...COMMON,
      protocol: 'http',
      successCodes: '200',
      intervalSeconds: 15,
      timeoutSeconds: 5,
      healthyThreshold: 2,
      unhealthyThreshold: 2,
    },
  },
};

/** Reads annotations one by one and collects what is wrong with them. */
const reader = (annotations: Annotations, prefix: string, problems: string[]) => {
  const read = <T>(name: string, otherwise: T, parse: (text: string) => T | undefined, form: string): T => {
    const text = annotations[`${prefix}${name}`];
    if (text === undefined) return otherwise;
    const value = parse(text.trim());
    if (value !== undefined) return value;
    problems.push(`the annotation ${prefix}${name} is ${JSON.stringify(text)} and must be ${form}`);
    return otherwise;
  };
  const whole = (name: string, otherwise: number, least: number, most: number): number =>
    read(name, otherwise, (text) => inRange(text, least, most), `a whole number from ${least} to ${most}`);
  return { read, whole };
};

const inRange = (text: string, least: number, most: number): number | undefined => {
  const value = /^\d{1,5}$/.test(text) ? Number(text) : Number.NaN;
  return value >= least && value <= most ? value : undefined;
};

/** Only what is safe as one word of a request line. */
const pathOf = (text: string): string | undefined => (/^\/[\x21-\x7e]*$/.test(text) ? text : undefined);

const isCodes = (word: string): boolean => {
  const [, first = '', last = first] = /^([1-5]\d\d)(?:-([1-5]\d\d))?$/.exec(word) ?? [];
  return first !== '' && first <= last;
};

const codesOf = (text: string): string | undefined => {
  const words = text.split(',').map((word) => word.trim());
  return words.every(isCodes) ? words.join(',') : undefined;
};

const portOf = (text: string): { readonly port: number | undefined } | undefined => {
  if (text === 'traffic-port') return { port: undefined };
  const port = inRange(text, 1, 65_535);
  return port === undefined ? undefined : { port };
};

/**
 * The health check that annotations ask for; later ones count before earlier ones.
 * @param kind of the object whose dialect the annotations are in
 */
export const healthCheck = (
  kind: 'Service' | 'Ingress',
  ...sources: readonly Annotations[]
): CheckOutcome => {
  const { prefix, interval, timeout, healthy, unhealthy, codes, defaults } = DIALECTS[kind];
  const problems: string[] = [];
  const { read, whole } = reader(Object.assign({}, ...sources) as Annotations, prefix, problems);
  const protocol = read(
    'healthcheck-protocol',
    defaults.protocol,
    (text) => (['tcp', 'http', 'https'] as const).find((word) => word === text.toLowerCase()),
    'TCP, HTTP or HTTPS',
  );
  const check = {
    protocol,
    path: read('healthcheck-path', defaults.path, pathOf, 'a path of printable characters without spaces'),
    successCodes: read(codes, defaults.successCodes, codesOf, 'HTTP codes and ranges, such as 200,300-399'),
    port: read('healthcheck-port', { port: defaults.port }, portOf, 'traffic-port or a port').port,
    intervalSeconds: whole(interval, defaults.intervalSeconds, 5, 300),
    timeoutSeconds: whole(timeout, defaults.timeoutSeconds, 2, 120),
    healthyThreshold: whole(healthy, defaults.healthyThreshold, 2, 10),
    unhealthyThreshold: whole(unhealthy, defaults.unhealthyThreshold, 2, 10),
  };
  return { check, problems };
};
