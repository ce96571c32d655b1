/** Who may connect to a balancer, by ranges of addresses. */
import { isIPv4, isIPv6 } from 'node:net';
import { ALB_INBOUND_CIDRS, SOURCE_RANGES } from './annotations.ts';
import type { StoredIngress, StoredService } from './claims.ts';
import type { Origin, Problem } from './model.ts';
import { inWords, originOf } from './origins.ts';

/** Ranges that may connect, empty for everybody; undefined when nobody may, because no range makes sense. */
export interface Admitted {
  readonly sources: readonly string[] | undefined;
  readonly problems: readonly Problem[];
}

const EVERYBODY: Admitted = { sources: [], problems: [] };

/** Whether a text is a range of addresses, IPv4 or IPv6. */
export const isRange = (text: string): boolean => {
  const [address = '', bits = '', ...more] = text.split('/');
  if (more.length > 0 || !/^\d{1,3}$/.test(bits)) return false;
  if (isIPv4(address)) return Number(bits) <= 32;
  return isIPv6(address) && !address.includes('%') && Number(bits) <= 128;
};

/** A range that makes no sense lets nobody in, so what was meant to be closed is never open. */
const admitted = (origin: Origin, where: string, written: readonly string[]): Admitted => {
  const texts = written.map((text) => text.trim()).filter(Boolean);
  if (texts.length === 0) return EVERYBODY;
  const sources = texts.filter(isRange);
  const problems = texts
    .filter((text) => !isRange(text))
    .map((text) => ({
      origin,
      message: `${JSON.stringify(text)} in ${where} is no range of addresses and lets nobody in. Write it like 10.0.0.0/8`,
    }));
  return { sources: sources.length === 0 ? undefined : sources, problems };
};

const listed = (text: string): readonly string[] => text.split(',');

/** Who may connect to a Service. The field counts before the annotation that came before it. */
export const sourcesOfService = (service: StoredService): Admitted => {
  const origin = originOf('Service', service);
  const { loadBalancerSourceRanges: ranges = [] } = service.spec ?? {};
  if (ranges.length > 0) return admitted(origin, 'spec.loadBalancerSourceRanges', ranges);
  const text = service.metadata.annotations?.[SOURCE_RANGES] ?? '';
  return admitted(origin, `the annotation ${SOURCE_RANGES}`, listed(text));
};

/** Who may connect to a port of Ingresses: the first that says so says it for all. */
export const sourcesOfIngresses = (ingresses: readonly StoredIngress[]): Admitted => {
  const where = `the annotation ${ALB_INBOUND_CIDRS}`;
  const asking = ingresses.flatMap((ingress) => {
    const text = ingress.metadata.annotations?.[ALB_INBOUND_CIDRS];
    return text === undefined ? [] : [{ origin: originOf('Ingress', ingress), text }];
  });
  const [first, ...later] = asking;
  if (first === undefined) return EVERYBODY;
  const { sources, problems } = admitted(first.origin, where, listed(first.text));
  const others = later
    .filter(({ text }) => text !== first.text)
    .map(({ origin }) => ({
      origin,
      message: `${where} does not count: ${inWords(first.origin)} of the same group and port has another one. Write the same into both`,
    }));
  return { sources, problems: [...problems, ...others] };
};
