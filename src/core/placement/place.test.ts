import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatAddress, parseAddress, parseNetwork } from '../net/ipv4.ts';
import { Occupancy } from './occupancy.ts';
import { type Placing, place, type Question } from './place.ts';
import { type SubnetLike, subnetsFor, usableAddresses } from './subnets.ts';

const subnet = (
  name: string,
  cidr: string,
  zone = 'local-1a',
  more: Partial<SubnetLike['spec']> = {},
): SubnetLike => ({
  metadata: { name },
  spec: { cidr, zone, type: 'private', ...more },
});

const A = subnet('private-a', '10.42.64.0/20', 'local-1a');
const B = subnet('private-b', '10.42.80.0/20', 'local-1b');
const PUBLIC = subnet('public', '10.42.0.0/24', 'local-1a', { type: 'public' });
const LOCAL = subnet('edge', '10.42.96.0/24', 'local-1x', { zoneType: 'local-zone' });
const SIZE = { milliCpu: 250, memoryMiB: 512, storageGiB: 20 };

const machine = (subnetName: string, at: string, size = SIZE) => ({
  size,
  placement: { subnet: subnetName, zone: 'z', region: 'r', address: at },
  dead: false,
});
/** These addresses of these subnets, and no room. */
const taken = (bySubnet: Readonly<Record<string, Iterable<string>>>): Occupancy =>
  new Occupancy(
    Object.entries(bySubnet).flatMap(([name, addresses]) =>
      [...addresses].map((at) => [`${name} ${at}`, { ...machine(name, at), dead: true }] as const),
    ),
  );
/** One machine that uses that much. */
const used = (memoryMiB: number, milliCpu: number): Occupancy =>
  new Occupancy([['vm', machine('elsewhere', '10.1.1.1', { ...SIZE, memoryMiB, milliCpu })]]);

const question = (more: Partial<Question> = {}): Question => ({
  podUid: 'u1',
  size: SIZE,
  region: 'local-1',
  subnets: subnetsFor(undefined, [A, B]),
  occupancy: new Occupancy(),
  capacity: { memoryMiB: 8192, milliCpu: 8000 },
  ...more,
});

const address = (placing: Placing): string =>
  'placement' in placing ? placing.placement.address : placing.waits.message;

describe('subnetsFor', () => {
  const names = (named: string[] | undefined, all: SubnetLike[]) => {
    const { usable, problems } = subnetsFor(named, all);
    return [usable.map((s) => s.name), problems];
  };
  it.each<[string, string[] | undefined, SubnetLike[], string[], string[]]>([
    ['all private ones by default', undefined, [A, PUBLIC, B, LOCAL], ['private-a', 'private-b'], []],
    ['an empty list means all', [], [A, PUBLIC], ['private-a'], []],
    ['those named', ['private-b'], [A, B], ['private-b'], []],
    [
      'a public one',
      ['public'],
      [A, PUBLIC],
      [],
      ['Subnet public provided in Fargate Profile is not a private subnet'],
    ],
    [
      'a missing one beside a good one',
      ['private-a', 'x'],
      [A],
      ['private-a'],
      ['Subnet x provided in Fargate Profile does not exist'],
    ],
    [
      'a local zone',
      ['edge'],
      [LOCAL],
      [],
      ['Fargate is not supported in the requested availability zone: local-1x'],
    ],
    [
      'a bad network',
      ['bad'],
      [subnet('bad', '10.0.0.1/24')],
      [],
      ['Subnet bad has no valid IPv4 network: 10.0.0.1/24'],
    ],
    ['none at all', undefined, [PUBLIC], [], ['The cluster has no private subnet']],
  ])('%s', (_, named, all, usable, problems) => {
    expect(names(named, all)).toEqual([usable, problems]);
  });
});

describe('place', () => {
  it('gives an address of the subnet, its zone and region', () => {
    const placing = place(question({ subnets: subnetsFor(['private-b'], [A, B]) }));
    expect(placing).toMatchObject({
      placement: { subnet: 'private-b', zone: 'local-1b', region: 'local-1' },
    });
    expect(address(placing)).toMatch(/^10\.42\.(8|9)\d\.\d+$/);
  });

  it('answers the same question the same way', () => {
    expect(place(question())).toEqual(place(question()));
  });

  it('spreads pods with other names over other addresses', () => {
    const given = new Set(
      Array.from({ length: 50 }, (_, i) => address(place(question({ podUid: `u${i}` })))),
    );
    expect(given.size).toBeGreaterThan(40);
  });

  it('prefers the subnet with fewer machines, then the first name', () => {
    expect(place(question({ occupancy: taken({ 'private-a': ['10.42.64.9'] }) }))).toMatchObject({
      placement: { subnet: 'private-b' },
    });
    expect(place(question())).toMatchObject({ placement: { subnet: 'private-a' } });
  });

  it('never gives the first four and the last address, nor one twice, until none is left', () => {
    const small = subnetsFor(undefined, [subnet('s', '10.0.0.0/28')]);
    const addresses = new Set<string>();
    for (let i = 0; i < 11; i += 1) {
      const given = address(
        place(question({ podUid: `p${i}`, subnets: small, occupancy: taken({ s: addresses }) })),
      );
      expect(addresses.has(given)).toBe(false);
      addresses.add(given);
    }
    const last = [...addresses].map((a) => Number(a.split('.')[3])).sort((a, b) => a - b);
    expect(last).toEqual([4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14]);
    expect(place(question({ subnets: small, occupancy: taken({ s: addresses }) }))).toEqual({
      waits: { for: 'address', message: "No free address in the Fargate profile's subnets: s" },
    });
  });

  it('uses another subnet when one is full', () => {
    const full = new Set(Array.from({ length: 11 }, (_, i) => `10.0.0.${i + 4}`));
    const subnets = subnetsFor(undefined, [subnet('s', '10.0.0.0/28'), A]);
    const many = new Set(Array.from({ length: 100 }, (_, i) => `10.42.65.${i}`));
    const placing = place(
      question({
        subnets,
        occupancy: taken({ s: full, 'private-a': many }),
      }),
    );
    expect(placing).toMatchObject({ placement: { subnet: 'private-a' } });
  });

  it('does not give one address twice where subnets overlap', () => {
    const subnets = subnetsFor(undefined, [subnet('s', '10.0.0.0/28'), subnet('t', '10.0.0.0/28')]);
    const occupancy = new Occupancy();
    const given = new Set<string>();
    for (let i = 0; i < 11; i += 1) {
      const placing = place(question({ podUid: `p${i}`, subnets, occupancy }));
      if (!('placement' in placing)) throw new Error(placing.waits.message);
      given.add(placing.placement.address);
      occupancy.set(`vm-${i}`, { size: SIZE, placement: placing.placement, dead: false });
    }
    expect(given.size).toBe(11);
    expect(place(question({ subnets, occupancy }))).toMatchObject({ waits: { for: 'address' } });
  });

  it.each<[string, Partial<Question>, string, string]>([
    [
      'no subnet',
      { subnets: subnetsFor(['x', 'public'], [PUBLIC]) },
      'subnet',
      'Subnet x provided in Fargate Profile does not exist; Subnet public provided in Fargate Profile is not a private subnet',
    ],
    [
      'memory in use',
      { occupancy: used(7681, 0) },
      'room',
      'Fargate capacity is unavailable at this time. Please try again later or in a different availability zone',
    ],
    [
      'CPU in use',
      { occupancy: used(0, 7751) },
      'room',
      'Fargate capacity is unavailable at this time. Please try again later or in a different availability zone',
    ],
    [
      'hosts too small for ever',
      {
        size: { milliCpu: 4000, memoryMiB: 9216, storageGiB: 20 },
        capacity: { memoryMiB: 6000, milliCpu: 2000 },
      },
      'room',
      'Fargate capacity is unavailable at this time. Please try again later or in a different availability zone: the pod needs 4vCPU 9GB, all hosts together have 2 vCPU and 5.8 GB',
    ],
    [
      'no zone that suits',
      { suitability: { mismatch: ({ zone }) => `not in ${zone}`, compare: () => 0 } },
      'suitable-zone',
      'not in local-1a; not in local-1b',
    ],
    [
      'no zone that suits, all for one reason',
      { suitability: { mismatch: () => 'no', compare: () => 0 } },
      'suitable-zone',
      'no',
    ],
  ])('waits: %s', (_, more, what, message) => {
    expect(place(question(more))).toEqual({ waits: { for: what, message } });
  });

  it('fits to the last MiB', () => {
    expect(place(question({ occupancy: used(7680, 7750) }))).toHaveProperty('placement');
  });

  it('keeps to subnets that suit', () => {
    const mismatch = ({ zone }: { zone: string }) => (zone === 'local-1b' ? undefined : 'no');
    const suitability = { mismatch, compare: () => 0 };
    expect(place(question({ suitability }))).toMatchObject({ placement: { zone: 'local-1b' } });
  });

  it('prefers what the pod prefers to what is emptier, and takes another when that is full', () => {
    const suitability = {
      mismatch: () => undefined,
      compare: (a: { zone: string }) => (a.zone === 'local-1b' ? -1 : 1),
    };
    const crowded = taken({ 'private-b': ['10.42.80.9'] });
    expect(place(question({ suitability, occupancy: crowded }))).toMatchObject({
      placement: { zone: 'local-1b' },
    });
  });

  it('finds a free address whenever there is one, by looking at all of them', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 24, max: 32 }),
        fc.uniqueArray(fc.nat(255)),
        fc.uuid(),
        (prefix, offsets, podUid) => {
          const network = parseNetwork(`10.9.0.0/${prefix}`);
          if (!network) throw new Error('no network');
          const others = new Set(offsets.map((offset) => formatAddress(network.first + offset)));
          const free = Array.from({ length: usableAddresses(network) }, (_, i) =>
            formatAddress(network.first + 4 + i),
          ).filter((a) => !others.has(a));
          const subnets = subnetsFor(undefined, [subnet('s', `10.9.0.0/${prefix}`)]);
          const placing = place(question({ podUid, subnets, occupancy: taken({ s: others }) }));
          if (free.length === 0) expect(placing).toMatchObject({ waits: { for: 'address' } });
          else expect(free).toContain(address(placing));
        },
      ),
    );
  });

  it('asks about each address at most once, with thousands of them taken', () => {
    const network = parseNetwork('10.42.64.0/20');
    if (!network) throw new Error('no network');
    let asked = 0;
    class Counted extends Occupancy {
      override isTaken(): boolean {
        asked += 1;
        return true;
      }
    }
    const placing = place(question({ subnets: subnetsFor(undefined, [A]), occupancy: new Counted() }));
    expect(placing).toMatchObject({ waits: { for: 'address' } });
    expect(asked).toBe(usableAddresses(network));
  });
});

describe('addresses', () => {
  it.each(['', '1.2.3', '1.2.3.4.5', '1.2.3.256', '01.2.3.4', '1.2.3.x', '-1.2.3.4', ' 1.2.3.4'])(
    '%j is none',
    (text) => {
      expect(parseAddress(text)).toBeUndefined();
    },
  );
  it.each(['1.2.3.4', '1.2.3.4/', '1.2.3.4/33', '1.2.3.4/24', '/24', 'x/24', '10.0.0.0/08'])(
    '%j is no network',
    (text) => {
      expect(parseNetwork(text)).toBeUndefined();
    },
  );
  it('go to text and back', () => {
    fc.assert(fc.property(fc.nat(2 ** 32 - 1), (value) => parseAddress(formatAddress(value)) === value));
  });
});
