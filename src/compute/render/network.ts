/** `ip -batch` lines that turn a namespace with an address into the outside of a machine. Pure. */
import type { Machine } from '../../core/machine/machine.ts';
import { GUEST_MAC, NODE_ADDRESS, ROUTER_ADDRESS, ROUTER_MAC, TAP_ADDRESS, TAP_MAC } from './link.ts';

/**
 * Takes the machine's address off `eth0` and routes it, and the node's link-local address, to `tap0`. Neighbour
 * entries are fixed on both sides of the tap, which takes no ARP at all: a guest can neither be asked who it is nor
 * pretend, nor fill the table of neighbours, which is one for all namespaces of a host (arp(7), `gc_thresh3`).
 */
export const networkBatch = (machine: Machine): readonly string[] => {
  const { address } = machine.placement;
  return [
    'tuntap add dev tap0 mode tap',
    `link set dev tap0 address ${TAP_MAC} arp off`,
    `address add ${TAP_ADDRESS}/32 dev tap0`,
    'link set dev tap0 up',
    'address flush dev eth0',
    `neighbour replace ${ROUTER_ADDRESS} lladdr ${ROUTER_MAC} dev eth0 nud permanent`,
    `route replace default via ${ROUTER_ADDRESS} dev eth0 onlink`,
    ...[address, NODE_ADDRESS].flatMap((own) => [
      `route replace ${own}/32 dev tap0`,
      `neighbour replace ${own} lladdr ${GUEST_MAC} dev tap0 nud permanent`,
    ]),
  ];
};
