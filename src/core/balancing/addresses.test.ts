import fc from 'fast-check';
import { expect, it } from 'vitest';
import { formatAddress, type Network, parseNetwork } from '../net/ipv4.ts';
import { assignAddresses, type Owner } from './addresses.ts';

const RANGE = parseNetwork('10.42.2.0/29') as Network;

const owner = (id: string, address?: string, since = `2026-01-01T00:00:0${id}Z`): Owner => ({
  id,
  address,
  since,
});

const given = (...owners: readonly Owner[]) => Object.fromEntries(assignAddresses(RANGE, owners).given);

it('gives the lowest free address, and not the first four or the last', () => {
  expect(
    assignAddresses(
      RANGE,
      ['1', '2', '3', '4'].map((id) => owner(id)),
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

it('leaves everybody the address that is written, also when others were there first', () => {
  expect(given(owner('1'), owner('2', '10.42.2.4'))).toEqual({ 1: '10.42.2.5', 2: '10.42.2.4' });
});

it('of two with the same address the older one has it', () => {
  expect(given(owner('2', '10.42.2.6'), owner('1', '10.42.2.6'))).toEqual({ 1: '10.42.2.6', 2: '10.42.2.4' });
});

it.each(['10.42.2.0', '10.42.2.3', '10.42.2.7', '10.42.3.4', '192.0.2.1', 'nonsense', ''])(
  'does not believe in %j',
  (address) => {
    expect(given(owner('1', address))).toEqual({ 1: '10.42.2.4' });
  },
);

const owners = fc.uniqueArray(
  fc.record({
    id: fc.string({ minLength: 1, maxLength: 3 }),
    address: fc.option(
      fc.nat(15).map((n) => formatAddress(RANGE.first + n)),
      { nil: undefined },
    ),
    since: fc.constantFrom('a', 'b', 'c'),
  }),
  { selector: ({ id }) => id, maxLength: 8 },
);

it('never gives an address twice, serves as many as there is room for, and stays with what it gave', () => {
  fc.assert(
    fc.property(owners, (all) => {
      const first = assignAddresses(RANGE, all);
      expect(new Set(first.given.values()).size).toBe(first.given.size);
      expect(first.given.size).toBe(Math.min(all.length, 3));
      const written = all.map((one) => ({ ...one, address: first.given.get(one.id) }));
      expect(assignAddresses(RANGE, written).given).toEqual(first.given);
    }),
  );
});
