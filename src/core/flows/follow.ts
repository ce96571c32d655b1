/** What somebody who follows the connections of a pod is shown: each once, when it begins or is refused. */
import type { Firewall } from '../firewall/firewall.ts';
import type { Flow } from '../firewall/judge.ts';
import type { PodAt } from './peers.ts';
import { explainRefused, type FlowInWords, inWords, type Noted, type RefusedFlow } from './refused.ts';

/** What a machine's filter has noted at one moment. */
export interface Look {
  readonly accepted: readonly Noted[];
  readonly refused: readonly Noted[];
}

/** A line for people and programs. */
export type ShownFlow = FlowInWords & {
  /** Counts the lines, from 1. */
  readonly seq: number;
  /** When the last of them began or was tried: RFC 3339. */
  readonly time: string;
  /** First packets since the line before about the same. */
  readonly packets: number;
} & (
    | { readonly verdict: 'accepted' }
    | ({ readonly verdict: 'refused' } & Pick<RefusedFlow, 'by' | 'reason'>)
  );

/** What was shown before: packets by connection. */
export interface Seen {
  readonly last: number;
  readonly accepted: ReadonlyMap<string, number>;
  readonly refused: ReadonlyMap<string, number>;
}

const NOTHING: Seen = { last: 0, accepted: new Map(), refused: new Map() };

/** How many lines are kept for who looks late; those before are lost to them. */
const KEPT_MOST = 100;

const keyOf = (flow: Flow): string => JSON.stringify(flow);

const packetsOf = (noted: readonly Noted[]): ReadonlyMap<string, number> =>
  new Map(noted.map(({ flow, packets }) => [keyOf(flow), packets]));

const seenIn = ({ accepted, refused }: Look, last: number): Seen => ({
  last,
  accepted: packetsOf(accepted),
  refused: packetsOf(refused),
});

/** What came since. The kernel forgets, so a count may have begun anew. */
const since = (noted: readonly Noted[], before: ReadonlyMap<string, number>): readonly Noted[] =>
  noted.flatMap((one) => {
    const known = before.get(keyOf(one.flow)) ?? 0;
    if (one.packets === known) return [];
    return [{ ...one, packets: one.packets > known ? one.packets - known : one.packets }];
  });

type Unnumbered = ShownFlow extends infer F ? (F extends ShownFlow ? Omit<F, 'seq'> : never) : never;

const newIn = (look: Look, seen: Seen, firewall: Firewall, podAt: PodAt): readonly Unnumbered[] => {
  const accepted = since(look.accepted, seen.accepted).map(
    ({ flow, packets, last }): Unnumbered => ({
      ...inWords(flow, podAt),
      packets,
      verdict: 'accepted',
      time: last.toISOString(),
    }),
  );
  const refused = explainRefused(since(look.refused, seen.refused), firewall, podAt).map(
    ({ last: time, ...rest }): Unnumbered => ({ ...rest, verdict: 'refused', time }),
  );
  return [...accepted, ...refused].toSorted((one, other) => one.time.localeCompare(other.time));
};

/**
 * Goes on from what is shown. Who has no memory of it, after a restart, goes on with what comes from then on.
 * @param shown lines so far; undefined at the very first look, which shows all that the kernel knows
 * @returns the lines to show now, the same as before when there are no new ones
 */
export const follow = (
  shown: readonly ShownFlow[] | undefined,
  memory: Seen | undefined,
  look: Look,
  { firewall, podAt }: { readonly firewall: Firewall; readonly podAt: PodAt },
): { readonly shown: readonly ShownFlow[]; readonly memory: Seen } => {
  if (memory === undefined && shown !== undefined)
    return { shown, memory: seenIn(look, shown.at(-1)?.seq ?? 0) };
  const seen = memory ?? NOTHING;
  const fresh = newIn(look, seen, firewall, podAt).map(
    (flow, i): ShownFlow => ({
      ...flow,
      seq: seen.last + 1 + i,
    }),
  );
  const before = shown ?? [];
  return {
    shown: fresh.length === 0 ? before : [...before, ...fresh].slice(-KEPT_MOST),
    memory: seenIn(look, seen.last + fresh.length),
  };
};
