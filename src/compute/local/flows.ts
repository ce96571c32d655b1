/** What a machine's namespace knows of connections: read when somebody asks, so that nothing has to listen. */

import type { Flow } from '../../core/firewall/judge.ts';
import type { Noted } from '../../core/flows/refused.ts';
import { parseAddress } from '../../core/net/ipv4.ts';
import { exec } from '../../host/exec.ts';
import { inNamespace, namespaceExists } from '../../host/namespace.ts';
import { NODE_ADDRESS } from '../render/link.ts';
import { NOTED, type NotedSet } from '../render/ruleset.ts';

/** The first packet of a connection: addresses as dotted quads, IP protocol number, destination port or 0. */
interface FirstPacket {
  readonly source: string;
  readonly destination: string;
  readonly protocol: number;
  readonly port: number;
}

/** An element of one of the kernel's sets. */
interface NotedElement extends FirstPacket {
  readonly packets: number;
  /** Whole seconds since the last packet. */
  readonly agoS: number;
}

/** What `nft -j -n list set` prints (libnftables-json(5)). */
interface Listing {
  readonly nftables: readonly {
    readonly set?: {
      readonly elem?: readonly {
        readonly elem: {
          readonly val: { readonly concat: readonly [string, string, number, number] };
          readonly expires: number;
          readonly counter: { readonly packets: number };
        };
      }[];
    };
  }[];
}

/**
 * Connections of a namespace as the kernel noted them.
 * @throws ExecError when there is no such set, as before a machine has its first rules
 */
export const notedElements = async (namespace: string, set: NotedSet): Promise<readonly NotedElement[]> => {
  const [program, args] = inNamespace(namespace, 'nft', ['-j', '-n', 'list', 'set', 'inet', 'machine', set]);
  const { nftables } = JSON.parse(await exec(program, args)) as Listing;
  return nftables
    .flatMap(({ set: listed }) => listed?.elem ?? [])
    .map(({ elem: { val, expires, counter } }) => {
      const [source, destination, protocol, port] = val.concat;
      // Each packet starts the time-out anew.
      const agoS = NOTED[set].seconds - expires;
      return { source, destination, protocol, port, packets: counter.packets, agoS };
    });
};

/** The connection as seen from the machine at `address`. */
const flowOf = ({ source, destination, protocol, port }: FirstPacket, address: string): Flow => {
  const begins = source === address || source === NODE_ADDRESS;
  return {
    ...(begins
      ? { direction: 'egress', from: source === address ? 'pod' : 'node' }
      : { direction: 'ingress' }),
    peer: parseAddress(begins ? destination : source) ?? 0,
    protocol,
    ...(port === 0 ? {} : { port }),
  };
};

/** Connections as a machine's filter noted them; none when the machine went meanwhile. @throws ExecError */
export const notedAt = async (
  namespace: string,
  set: NotedSet,
  address: string,
  now: Date,
): Promise<readonly Noted[]> => {
  const elements = await notedElements(namespace, set).catch((cause) => {
    if (namespaceExists(namespace)) throw cause;
    return [];
  });
  return elements.map(({ packets, agoS, ...first }) => ({
    flow: flowOf(first, address),
    packets,
    last: new Date(now.getTime() - agoS * 1000),
  }));
};
