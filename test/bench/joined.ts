/** Two machines whose guests are taken out of their namespaces and joined by a plain bridge, and put back. */

import { GUEST_MAC } from '../../src/compute/render/link.ts';
import { networkBatch } from '../../src/compute/render/network.ts';
import type { Machine } from '../../src/core/machine/machine.ts';
import { exec } from '../../src/host/exec.ts';
import { addNamespace, ipBatch, removeNamespace } from '../../src/host/namespace.ts';
import { inside } from '../support/bare-machine.ts';

/** A machine, and the namespace with its filter. */
export interface Guest {
  readonly machine: Machine;
  readonly outside: string;
}

/** The bridge, and the way in and out of it. */
export interface Joint {
  join(): Promise<void>;
  part(): Promise<void>;
  /** Removes the bridge, which must be empty. */
  remove(): Promise<void>;
}

/**
 * All guests have one MAC address and send everything to one neighbour, so the bridge addresses their frames
 * anew, without which there would be nothing to measure. Only what the two guests' pods say to each other by the
 * one port passes: their kubelets' packets to elsewhere would go round between them for ever.
 */
const rulesOf = (addresses: string, port: number): string => `table bridge plain {
  chain forward {
    type filter hook forward priority filter; policy drop;
    ip saddr { ${addresses} } ip daddr { ${addresses} } tcp dport ${port} ether daddr set ${GUEST_MAC} accept
    ip saddr { ${addresses} } ip daddr { ${addresses} } tcp sport ${port} ether daddr set ${GUEST_MAC} accept
  }
}
`;

/** Makes the bridge in a namespace of its own. @param port destination port of the connections that pass it */
export const jointOf = async (
  namespace: string,
  guests: readonly [Guest, Guest],
  port: number,
): Promise<Joint> => {
  await addNamespace(namespace);
  await inside(namespace, 'echo 1 >/proc/sys/net/ipv6/conf/default/disable_ipv6');
  await ipBatch(namespace, ['link add bridge0 type bridge', 'link set bridge0 up']);
  const addresses = guests.map(({ machine }) => machine.placement.address).join(', ');
  await inside(namespace, `nft -f - <<'END'\n${rulesOf(addresses, port)}END`);
  const each = async (move: (guest: Guest, link: string, index: number) => Promise<void>): Promise<void> => {
    for (const [index, guest] of guests.entries()) await move(guest, `guest${index}`, index);
  };
  return {
    join: () =>
      each(async ({ outside }, link, index) => {
        await exec('ip', ['-n', outside, 'link', 'set', 'tap0', 'netns', namespace, 'name', link]);
        // Not the address that guests send to: the bridge would take their frames for its own.
        await ipBatch(namespace, [`link set ${link} address 02:00:00:00:00:0${index} master bridge0 up`]);
      }),
    part: () =>
      each(async ({ machine, outside }, link) => {
        await exec('ip', ['-n', namespace, 'link', 'set', link, 'netns', outside, 'name', 'tap0']);
        const lines = networkBatch(machine).filter((line) => !line.startsWith('tuntap'));
        await ipBatch(outside, lines);
      }),
    remove: () => removeNamespace(namespace),
  };
};
