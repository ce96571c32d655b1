/** What followers are shown, look by look. */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { Firewall } from '../firewall/firewall.ts';
import type { Flow } from '../firewall/judge.ts';
import { parseAddress } from '../net/ipv4.ts';
import { follow, type Look, type Seen, type ShownFlow } from './follow.ts';
import type { Noted } from './refused.ts';

const NOTHING = { origins: ['web'], allows: [] };
const firewall: Firewall = {
  address: '10.42.64.7',
  groups: { ingress: NOTHING, egress: NOTHING },
  policies: {},
  node: { egress: [], kubeletClients: [] },
};
const rules = { firewall, podAt: () => undefined };
const flow = (port: number): Flow => ({
  direction: 'egress',
  from: 'pod',
  peer: parseAddress('10.42.64.9') as number,
  protocol: 6,
  port,
});
const noted = (port: number, packets: number, second: number): Noted => ({
  flow: flow(port),
  packets,
  last: new Date(Date.UTC(2026, 0, 1, 0, 0, second)),
});
const brief = (shown: readonly ShownFlow[]): readonly string[] =>
  shown.map(({ seq, time, verdict, port, packets }) =>
    [seq, time.slice(17, 19), verdict, port, packets].join(' '),
  );

/** Looks again and again, with the memory of the look before. */
const followAll = (...looks: readonly Look[]): readonly ShownFlow[] => {
  let shown: readonly ShownFlow[] | undefined;
  let memory: Seen | undefined;
  for (const look of looks) ({ shown, memory } = follow(shown, memory, look, rules));
  return shown ?? [];
};

it('begins with all that is known, in the order of time', () => {
  const shown = followAll({
    accepted: [noted(80, 2, 2), noted(81, 1, 9)],
    refused: [noted(22, 3, 1)],
  });
  expect(brief(shown)).toEqual(['1 01 refused 22 3', '2 02 accepted 80 2', '3 09 accepted 81 1']);
  expect(shown[0]).toMatchObject({
    by: 'group-egress',
    reason: 'group web has no egress rule for TCP 22 to 10.42.64.9',
  });
});

it('goes on with what came since, also when the kernel has forgotten and counts anew', () => {
  const shown = followAll(
    { accepted: [noted(80, 1, 1)], refused: [noted(22, 1, 0)] },
    { accepted: [noted(80, 1, 1)], refused: [noted(22, 1, 0)] },
    { accepted: [noted(80, 3, 3)], refused: [noted(22, 4, 3)] },
    { accepted: [noted(80, 1, 80)], refused: [] },
  );
  expect(brief(shown)).toEqual([
    '1 00 refused 22 1',
    '2 01 accepted 80 1',
    '3 03 accepted 80 2',
    '4 03 refused 22 3',
    '5 20 accepted 80 1',
  ]);
});

it('goes on after a restart with what comes from then on', () => {
  const look = { accepted: [noted(80, 1, 1)], refused: [noted(22, 1, 0)] };
  const { shown } = follow(undefined, undefined, look, rules);
  const again = follow(shown, undefined, look, rules);
  expect(again.shown).toBe(shown);
  const more = { ...look, accepted: [...look.accepted, noted(443, 1, 2)] };
  expect(brief(follow(again.shown, again.memory, more, rules).shown)).toEqual([
    ...brief(shown),
    '3 02 accepted 443 1',
  ]);
});

it('numbers without gaps whatever it sees, and keeps a hundred lines', () => {
  const ports = fc.uniqueArray(fc.integer({ min: 1, max: 500 }), { maxLength: 150 });
  fc.assert(
    fc.property(fc.array(ports, { minLength: 1 }), (looks) => {
      const shown = followAll(
        ...looks.map((seen, i) => ({ accepted: seen.map((port) => noted(port, i + 1, i)), refused: [] })),
      );
      expect(shown.length).toBeLessThanOrEqual(100);
      for (const [i, one] of shown.slice(1).entries()) expect(one.seq).toBe((shown[i]?.seq ?? 0) + 1);
    }),
  );
});
