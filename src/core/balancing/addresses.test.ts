import fc from 'fast-check';
import { expect, it } from 'vitest';
import { formatAddress, type Network, parseNetwork } from '../net/ipv4.ts';
import { type Asker, assignAddresses } from './addresses.ts';

const RANGE = parseNetwork('10.42.2.0/29') as Network;

const asker = (
  id: string,
  { told, written }: Partial<Asker> = {},
  since = `2026-01-01T00:00:0${id}Z`,
): Asker => ({ id, told, written, since });

const given = (...askers: readonly Asker[]) => Object.fromEntries(assignAddresses(RANGE, askers).given);

const BOTH = ['told', 'written'] as const;

it('gives the lowest free address, and not the first four or the last', () => {
  expect(
    assignAddresses(
      RANGE,
      ['1', '2', '3', '4'].map((id) => asker(id)),
    ),
  ).toEqual({
    given: new Map([
      ['1', '10.42.2.4'],
      ['2', '10.42.2.5'],
      ['3', '10.42.2.6'],
    ]),
    without: ['4'],
  });
});

it.each(BOTH)('leaves everybody the address that is %s, also when others were there first', (how) => {
  expect(given(asker('1'), asker('2', { [how]: '10.42.2.4' }))).toEqual({ 1: '10.42.2.5', 2: '10.42.2.4' });
});

it.each(BOTH)('of two of whom the same address is %s the older one has it', (how) => {
  const address = { [how]: '10.42.2.6' };
  expect(given(asker('2', address), asker('1', address))).toEqual({ 1: '10.42.2.6', 2: '10.42.2.4' });
});

it('gives nobody the address that the status of another tells, however old who writes it down', () => {
  expect(given(asker('1', { written: '10.42.2.6' }), asker('2', { told: '10.42.2.6' }))).toEqual({
    1: '10.42.2.4',
    2: '10.42.2.6',
  });
  expect(
    given(asker('1', { told: '10.42.2.4', written: '10.42.2.6' }), asker('2', { told: '10.42.2.6' })),
  ).toEqual({ 1: '10.42.2.4', 2: '10.42.2.6' });
});

it('gives all of a group one address, which one of them has', () => {
  const [first, second] = ['2026-01-01', '2026-01-02'];
  const group = [asker('g', {}, first), asker('g', { told: '10.42.2.5' }, second)];
  expect(given(...group, asker('2'))).toEqual({ g: '10.42.2.5', 2: '10.42.2.4' });
});

it.each(['10.42.2.0', '10.42.2.3', '10.42.2.7', '10.42.3.4', '192.0.2.1', 'nonsense', ''])(
  'does not believe in %j',
  (address) => {
    expect(given(asker('1', { told: address, written: address }))).toEqual({ 1: '10.42.2.4' });
  },
);

const anAddress = fc.option(
  fc.nat(15).map((n) => formatAddress(RANGE.first + n)),
  { nil: undefined },
);
const askers = fc.array(
  fc.record({
    id: fc.constantFrom('1', '2', '3', '4', '5'),
    told: anAddress,
    written: anAddress,
    since: fc.constantFrom('a', 'b', 'c'),
  }),
  { maxLength: 8 },
);

it('never gives an address twice, serves as many as there is room for, and stays with what it gave', () => {
  fc.assert(
    fc.property(askers, (all) => {
      const first = assignAddresses(RANGE, all);
      expect(new Set(first.given.values()).size).toBe(first.given.size);
      expect(first.given.size).toBe(Math.min(new Set(all.map(({ id }) => id)).size, 3));
      for (const how of BOTH) {
        const kept = all.map((one) => ({ ...one, told: undefined, [how]: first.given.get(one.id) }));
        expect(assignAddresses(RANGE, kept).given).toEqual(first.given);
      }
    }),
  );
});
