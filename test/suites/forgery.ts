/**
 * Root in a guest writes its own frames and packets. What reaches the wire behind its machine, and a neighbour, is
 * counted there, after every filter; the forged frames go before honest ones, so that silence proves something.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { exec } from '../../src/host/exec.ts';
import { until } from '../../src/host/wait.ts';
import { counterAt, refusedAt, type Witness, witness } from '../support/filters.ts';
import { FOREIGN_MAC, forged, type Parties, packet } from '../support/forged.ts';
import { PORT, tcp as segmentTo, sendFrames, udp } from '../support/frames.ts';
import { anywhere, BACK, CLOSED_TCP, FRONT, group, HTTP, type Place, tcp } from './connectivity.ts';

const TCP = 6;
const UDP = 17;

/** Identification of the first forged packet; each further one has the next. */
const FIRST_ID = 0xc100;
/** Of honest packets, and of those whose headers the neighbour's filter has to put together. */
const HONEST = 0xc200;
const MASKED = 0xc201;
const WHOLE = 0xc202;
const HIDDEN = 0xc203;
const REPEATED = 0xc204;

/** A packet of this suite: nothing else comes from such a port, or is a redirect of a host. */
const marked = (id: number): string => `ip id ${id} @th,0,16 { ${PORT}, 0x0501 }`;

const COUNTERS = ['spoofed', 'metadata', 'elsewhere', 'invalid'] as const;

/** What the guest's machine knows and has counted. */
interface Look {
  /** Who is behind which hardware address, in the namespace of each machine. */
  readonly neighbours: readonly (readonly string[])[];
  readonly counters: Readonly<Record<(typeof COUNTERS)[number], number>>;
}

const neighbours = async (namespace: string): Promise<readonly string[]> => {
  const all = JSON.parse(await exec('ip', ['-n', namespace, '-j', 'neigh', 'show'])) as {
    dst: string;
    dev: string;
    lladdr?: string;
  }[];
  return all.map(({ dst, dev, lladdr }) => `${dst} ${dev} ${lladdr}`).toSorted();
};

const lookAt = async ({ outside }: Place): Promise<Look> => {
  const [spoofed, metadata, elsewhere, invalid] = (await Promise.all(
    COUNTERS.map((name) => counterAt(outside('c'), name)),
  )) as [number, number, number, number];
  return {
    neighbours: await Promise.all((['a', 'b', 'c'] as const).map((party) => neighbours(outside(party)))),
    counters: { spoofed, metadata, elsewhere, invalid },
  };
};

/** The suite, beside `connectivity` on the same machines. @param place called once everything is made */
export const forgery = (place: () => Place, limitMs: number): void => {
  const parties = (): Parties => {
    const { address } = place();
    return {
      own: address('c'),
      neighbour: address('b'),
      far: address('control'),
      open: HTTP,
      shut: CLOSED_TCP,
    };
  };
  // What is tried is the same wherever the machines are; the frames hold addresses, which are known later.
  const none: Parties = {
    own: '0.0.0.0',
    neighbour: '0.0.0.0',
    far: '0.0.0.0',
    open: HTTP,
    shut: CLOSED_TCP,
  };
  const outline = forged(none).map(({ name, counter }, index) => ({ name, counter, id: FIRST_ID + index }));
  const counterOf = (id: number): string => `forged${id}`;
  const each = Object.fromEntries(outline.map(({ id }) => [counterOf(id), marked(id)]));

  /** A TCP segment to the neighbour in parts so small that none has both ports and flags. */
  const inParts = (id: number, port: number, first: number = port): readonly Buffer[] => {
    const { own, neighbour } = parties();
    const part = (segment: Buffer, at: number): Buffer => {
      const header = { from: own, to: neighbour, protocol: TCP, id, part: { at, more: at < 16 } };
      return packet(header, segment.subarray(at, at + 8));
    };
    const segment = segmentTo(own, neighbour, port);
    return [part(segmentTo(own, neighbour, first), 0), ...[0, 8, 16].map((at) => part(segment, at))];
  };

  const honest = (id: number, link = {}): Buffer =>
    packet({ from: parties().own, to: parties().far, protocol: UDP, id }, udp('honest'), link);

  describe('root with packet sockets', () => {
    let wire: Witness;
    let beside: Witness;
    let before: Look;
    let after: Look;
    const hidden = async (): Promise<number> => {
      const { own, neighbour, shut } = parties();
      return (await refusedAt(place().outside('b'))).get(`${own} ${neighbour} tcp ${shut}`) ?? 0;
    };

    beforeAll(async () => {
      const { own } = parties();
      const groups = [group(FRONT, []), group(BACK, [tcp(HTTP, anywhere)])];
      await place().apply({ groups, lists: [], policies: [] });
      wire = await witness(place().outside('c'), 'eth0', {
        ...each,
        honest: marked(HONEST),
        masked: marked(MASKED),
        hardware: `ether saddr ${FOREIGN_MAC}`,
        sources: `ip saddr != ${own}`,
        claims: `arp saddr ip != ${own}`,
        sixes: 'meta protocol ip6',
        tags: 'meta protocol vlan',
      });
      beside = await witness(place().outside('b'), 'tap0', {
        ...each,
        whole: marked(WHOLE),
        repeated: marked(REPEATED),
        shut: `ip protocol tcp @th,0,16 ${PORT} @th,16,16 ${CLOSED_TCP}`,
        questions: 'meta protocol arp',
      });
      before = await lookAt(place());
      await place().run(
        'c',
        sendFrames([
          ...forged(parties()).flatMap(({ frames }, index) => frames(FIRST_ID + index)),
          ...inParts(HIDDEN, CLOSED_TCP),
          ...inParts(REPEATED, CLOSED_TCP, HTTP),
          ...inParts(WHOLE, HTTP),
          honest(MASKED, { from: FOREIGN_MAC }),
          honest(HONEST),
        ]),
      );
      const arrived = async (): Promise<boolean> =>
        ((await wire.seen())['honest'] ?? 0) > 0 && ((await beside.seen())['whole'] ?? 0) > 0;
      await until(arrived, { limitMs, what: 'the honest packets to reach the wire and the neighbour' });
      after = await lookAt(place());
    }, limitMs + 60_000);

    afterAll(async () => {
      await wire?.end();
      await beside?.end();
    });

    it.each(outline)('sends in vain: $name', async ({ id }) => {
      const counts = [(await wire.seen())[counterOf(id)], (await beside.seen())[counterOf(id)]];
      expect(counts).toEqual([0, 0]);
    });

    it('finds each of them counted', () => {
      for (const name of COUNTERS) {
        const sent = outline.filter(({ counter }) => counter === name).length;
        expect(after.counters[name] - before.counters[name], name).toBeGreaterThanOrEqual(sent);
      }
    });

    it('puts nothing on the wire but IPv4 from its own address, behind the card of its machine', async () => {
      const { masked, hardware, sources, claims, sixes, tags } = await wire.seen();
      expect({ masked, hardware, sources, claims, sixes, tags }).toEqual({
        ...{ masked: 1, hardware: 0, sources: 0, claims: 0, sixes: 0, tags: 0 },
      });
    });

    it("changes nobody's mind about who is where", async () => {
      expect(after.neighbours).toEqual(before.neighbours);
      expect((await beside.seen())['questions']).toBe(0);
    });

    it('hides no port in parts: a packet is judged, and goes on, as a whole', async () => {
      expect(await hidden()).toBeGreaterThan(0);
      expect((await beside.seen())['shut']).toBe(0);
    });
  });
};
