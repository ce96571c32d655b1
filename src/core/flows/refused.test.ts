/** What is told of refused connections, and when. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Firewall } from '../firewall/firewall.ts';
import { parseAddress } from '../net/ipv4.ts';
import { rangesOf } from '../net/ranges.ts';
import { explainRefused, type Noted, type RefusedFlow, reasonsToTell, worthWriting } from './refused.ts';

const TCP = 6;
const at = (address: string): number => parseAddress(address) as number;
const [CLIENT, STRANGER] = ['10.42.64.9', '192.0.2.7'];

const firewall: Firewall = {
  address: '10.42.64.7',
  groups: {
    ingress: { origins: ['db'], allows: [{ peers: rangesOf(['192.0.2.0/24']), origin: 'db' }] },
    egress: { origins: ['db'], allows: [] },
  },
  policies: { egress: { origins: ['shop/deny'], allows: [] } },
  node: { egress: [], kubeletClients: [] },
};
const podAt = (address: number) => (address === at(CLIENT) ? 'shop/client' : undefined);

const refused = (difference: Partial<Noted['flow']>, second = 0): Noted => ({
  flow: { direction: 'ingress', peer: at(CLIENT), protocol: TCP, port: 5432, ...difference },
  packets: 3,
  last: new Date(Date.UTC(2026, 0, 1, 0, 0, second)),
});

describe('explainRefused', () => {
  it.each<[string, Partial<Noted['flow']>, string, string]>([
    ['a group', {}, 'group-ingress', 'group db has no ingress rule for TCP 5432 from 10.42.64.9'],
    [
      'a policy',
      { direction: 'egress', from: 'pod' },
      'policy-egress',
      'policy shop/deny has no egress rule for TCP 5432 to 10.42.64.9',
    ],
    [
      'the node',
      { direction: 'egress', from: 'node' },
      'node-egress',
      "the node's own processes have no rule for TCP 5432 to 10.42.64.9",
    ],
  ])('says that %s has no rule', (_who, flow, by, reason) => {
    const [told] = explainRefused([refused(flow)], firewall, podAt);
    expect(told).toMatchObject({
      by,
      reason,
      peer: CLIENT,
      peerPod: 'shop/client',
      protocol: 'TCP',
      port: 5432,
    });
    expect(told).toMatchObject({ packets: 3, last: '2026-01-01T00:00:00.000Z' });
  });

  it('puts the latest first, and names no pod where there is none', () => {
    const known = explainRefused([refused({}, 1), refused({ port: 22 }, 2)], firewall, () => undefined);
    expect(known.map(({ port }) => port)).toEqual([22, 5432]);
    expect(known[0]).not.toHaveProperty('peerPod');
  });

  it('leaves out what is allowed by now', () => {
    expect(explainRefused([refused({ peer: at(STRANGER) })], firewall, podAt)).toEqual([]);
  });
});

const flowsOf = (...all: readonly Noted[]): readonly RefusedFlow[] => explainRefused(all, firewall, podAt);

describe('worthWriting', () => {
  const once = flowsOf(refused({}, 1));
  const again = flowsOf({ ...refused({}, 9), packets: 4 });
  it.each<[string, readonly RefusedFlow[], readonly RefusedFlow[], number, boolean]>([
    ['nothing at all', [], [], 1e9, false],
    ['the first', [], once, 0, true],
    ['another one', once, flowsOf(refused({}, 1), refused({ port: 22 }, 2)), 0, true],
    ['the end of them', once, [], 0, true],
    ['the same, seen again', once, flowsOf(refused({}, 2)), 1e9, false],
    ['the same, tried again', once, again, 59_999, false],
    ['the same, tried again a minute later', once, again, 60_000, true],
  ])('%s', (_what, before, after, sinceMs, worth) => {
    expect(worthWriting(before, after, sinceMs)).toBe(worth);
  });
});

describe('reasonsToTell', () => {
  const reason = 'group db has no ingress rule for TCP 5432 from 10.42.64.9 (pod shop/client)';

  it('tells a reason once for as long as connections are refused for it', () => {
    const first = reasonsToTell([], flowsOf(refused({}, 1)));
    expect(first).toEqual({ tell: [reason], told: [reason] });
    expect(reasonsToTell(first.told, flowsOf(refused({}, 9)))).toEqual({ tell: [], told: [reason] });
    expect(reasonsToTell(first.told, [])).toEqual({ tell: [], told: [] });
  });

  it('tells of a scan of ports a little, and of no port twice', () => {
    const scans = fc.array(fc.uniqueArray(fc.integer({ min: 1, max: 65_535 }), { maxLength: 20 }));
    fc.assert(
      fc.property(scans, (rounds) => {
        let told: readonly string[] = [];
        for (const ports of rounds) {
          const next = reasonsToTell(told, flowsOf(...ports.map((port) => refused({ port }))));
          expect(next.tell.filter((one) => told.includes(one))).toEqual([]);
          expect(next.told.length).toBeLessThanOrEqual(5);
          told = next.told;
        }
      }),
    );
  });
});
