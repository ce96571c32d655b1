/** What `filter` of a provider means, whoever runs the machines (src/compute/provider.ts). */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Provider } from '../../src/compute/provider.ts';
import type { Firewall } from '../../src/core/firewall/firewall.ts';
import { openFirewall } from '../../src/core/firewall/open.ts';
import type { Machine } from '../../src/core/machine/machine.ts';

/** A provider, and how its machines come to run and are tried. */
export interface FilteredPlace {
  readonly provider: Provider;
  /** Two machines that do not exist yet. */
  readonly machines: readonly [Machine, Machine];
  /** Makes a machine that runs. */
  start(machine: Machine): Promise<void>;
  /** Ends what runs in it; the machine stays. */
  kill(machine: Machine): Promise<void>;
  /** Whether a connection gets in. */
  admits(machine: Machine): Promise<boolean>;
  end(): Promise<void>;
}

/** Allows what `openFirewall` does, but nothing that comes in. */
const outwards = (address: string): Firewall => {
  const open = openFirewall(address);
  return { ...open, groups: { ...open.groups, ingress: { origins: ['none'], allows: [] } } };
};

/** A firewall that no kernel takes: a comment of its rules ends early. */
const unspeakable = (address: string): Firewall => {
  const open = openFirewall(address);
  const allows = open.groups.ingress.allows.map((allow) => ({ ...allow, origin: 'a "quoted" name' }));
  return { ...open, groups: { ...open.groups, ingress: { origins: ['x'], allows } } };
};

/**
 * The suite.
 * @param options.refuses whether something takes the rules, and so may refuse them
 */
export const providerFilters = (
  name: string,
  make: () => Promise<FilteredPlace>,
  options: { readonly refuses: boolean },
): void => {
  describe(`filters of the provider ${name}`, () => {
    let place: FilteredPlace;
    let one: Machine;
    let other: Machine;
    const addressOf = ({ placement }: Machine): string => placement.address;
    const put = (machine: Machine, firewall: Firewall): Promise<boolean> =>
      place.provider.filter(machine.name, firewall);

    beforeAll(async () => {
      place = await make();
      [one, other] = place.machines;
      await place.start(one);
      await place.start(other);
    }, 60_000);
    afterAll(() => place?.end(), 60_000);

    it('a machine starts closed', async () => {
      expect(await place.admits(one)).toBe(false);
    });

    it('rules are put in place once, at one machine, and others in their place', async () => {
      expect(await put(one, openFirewall(addressOf(one)))).toBe(true);
      expect([await place.admits(one), await place.admits(other)]).toEqual([true, false]);
      expect(await put(one, openFirewall(addressOf(one)))).toBe(false);
      expect(await place.admits(one)).toBe(true);
      expect(await put(one, outwards(addressOf(one)))).toBe(true);
      expect(await place.admits(one)).toBe(false);
      expect(await put(one, openFirewall(addressOf(one)))).toBe(true);
      expect(await place.admits(one)).toBe(true);
    });

    // A stand-in keeps rules and gives them to nobody: nobody refuses them.
    if (options.refuses)
      it('rules that are refused leave those before, and may be mended', async () => {
        await expect(put(one, unspeakable(addressOf(one)))).rejects.toMatchObject({ kind: 'rules-refused' });
        expect(await place.admits(one)).toBe(true);
        expect(await put(one, openFirewall(addressOf(one)))).toBe(false);
        expect(await put(one, outwards(addressOf(one)))).toBe(true);
        expect(await put(one, openFirewall(addressOf(one)))).toBe(true);
      });

    it('a machine that does not run is left alone, and one that is not there is not made', async () => {
      await place.kill(other);
      expect(await put(other, outwards(addressOf(other)))).toBe(false);
      const before = await place.provider.list();
      expect(await place.provider.filter('vm-nobody', openFirewall('10.42.64.99'))).toBe(false);
      expect(await place.provider.list()).toEqual(before);
    });

    it('rules go with their machine: the next of its name is closed', async () => {
      await place.provider.remove(one.name);
      expect(await put(one, openFirewall(addressOf(one)))).toBe(false);
      await place.start(one);
      expect(await place.admits(one)).toBe(false);
      expect(await put(one, openFirewall(addressOf(one)))).toBe(true);
      expect(await place.admits(one)).toBe(true);
    });
  });
};
