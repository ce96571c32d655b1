/** What the controller alone knows and `plan` needs: published in a ConfigMap. */
import { SYSTEM_NAMESPACE } from './names.ts';
import type { Room } from './placement/occupancy.ts';
import type { Places } from './placement/subnets.ts';

/** Where it is published. */
export const FACTS = { namespace: SYSTEM_NAMESPACE, name: 'cloister-facts' } as const;

/** Facts about a cluster. */
export interface Facts {
  readonly region: string;
  /** Room of all hosts together. */
  readonly capacity: Room;
  /** Where pods may run. */
  readonly places: Places;
  /** vCPU of all pods together, in thousandths; undefined for no limit. */
  readonly quotaMilliCpu?: number;
  /** The account may launch nothing at all. */
  readonly accountBlocked?: boolean;
}

/** The ConfigMap's `data`. */
export const factsData = ({
  region,
  capacity,
  places,
  quotaMilliCpu,
  accountBlocked,
}: Facts): Record<string, string> => ({
  region,
  ...(places.regions && { regions: places.regions.join(',') }),
  ...(places.zones && { zones: places.zones.join(',') }),
  memoryMiB: String(capacity.memoryMiB),
  milliCpu: String(capacity.milliCpu),
  ...(quotaMilliCpu === undefined ? {} : { quotaMilliCpu: String(quotaMilliCpu) }),
  ...(accountBlocked ? { accountBlocked: 'true' } : {}),
});

const count = (text: string | undefined): number | undefined =>
  text !== undefined && /^\d+$/.test(text) ? Number(text) : undefined;

/** @returns undefined when the data is missing or incomplete */
export const parseFacts = (data: Readonly<Record<string, string>> | undefined): Facts | undefined => {
  const region = data?.['region'];
  const memoryMiB = count(data?.['memoryMiB']);
  const milliCpu = count(data?.['milliCpu']);
  if (!region || memoryMiB === undefined || milliCpu === undefined) return undefined;
  const regions = data?.['regions']?.split(',');
  const zones = data?.['zones']?.split(',');
  const places = { ...(regions && { regions }), ...(zones && { zones }) };
  const quotaMilliCpu = count(data?.['quotaMilliCpu']);
  return {
    region,
    capacity: { memoryMiB, milliCpu },
    places,
    ...(quotaMilliCpu === undefined ? {} : { quotaMilliCpu }),
    ...(data?.['accountBlocked'] === 'true' ? { accountBlocked: true } : {}),
  };
};
