/** The layer of security groups (spec/fargate.md §6; AWS "Security group rules"). */
import { type Ranges, rangesOf, union } from '../net/ranges.ts';
import type { Allow, Direction, Layer } from './firewall.ts';
import { protocolNumber } from './protocol.ts';
import type { GroupPeer, World } from './world.ts';

const addressesOf = (peer: GroupPeer, own: string, world: World): Ranges => {
  if (peer.cidr !== undefined) return rangesOf([peer.cidr]);
  if (peer.group !== undefined) return world.members(peer.group);
  if (peer.prefixList !== undefined) return world.prefixList(peer.prefixList);
  return world.members(own);
};

/** What groups allow together: a rule of any of them is enough. A group that does not exist allows nothing. */
export const groupLayer = (names: readonly string[], direction: Direction, world: World): Layer => ({
  origins: names,
  allows: names.flatMap((origin) =>
    (world.group(origin)?.spec[direction] ?? []).map(({ protocol, ports, peers }): Allow => {
      const number = protocolNumber(protocol);
      return {
        ...(number === undefined ? {} : { protocol: number }),
        ...(ports === undefined ? {} : { ports }),
        peers: union(peers.flatMap((peer) => addressesOf(peer, origin, world))),
        origin,
      };
    }),
  ),
});
