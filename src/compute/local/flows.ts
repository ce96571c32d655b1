/** What a machine's namespace knows of connections: read when somebody asks, so that nothing has to listen. */

import type { Flow } from '../../core/firewall/judge.ts';
import type { Refused } from '../../core/flows/refused.ts';
import { parseAddress } from '../../core/net/ipv4.ts';
import { exec } from '../../host/exec.ts';
import { inNamespace, namespaceExists } from '../../host/namespace.ts';
import { NODE_ADDRESS } from '../render/link.ts';
import { REFUSED_FOR_S, REFUSED_SET } from '../render/ruleset.ts';

/** The first packet of a connection: addresses as dotted quads, IP protocol number, destination port or 0. */
interface FirstPacket {
  readonly source: string;
  readonly destination: string;
  readonly protocol: number;
  readonly port: number;
}

/** An element of the kernel's set of refused connections. */
interface RefusedElement extends FirstPacket {
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

/** The refused connections of a namespace, as the kernel has them. @throws ExecError when there is no filter */
export const refusedElements = async (namespace: string): Promise<readonly RefusedElement[]> => {
  const list = ['-j', '-n', 'list', 'set', 'inet', 'machine', REFUSED_SET];
  const [program, args] = inNamespace(namespace, 'nft', list);
  const { nftables } = JSON.parse(await exec(program, args)) as Listing;
  return nftables
    .flatMap(({ set }) => set?.elem ?? [])
    .map(({ elem: { val, expires, counter } }) => {
      const [source, destination, protocol, port] = val.concat;
      // Each packet starts the time-out anew.
      return { source, destination, protocol, port, packets: counter.packets, agoS: REFUSED_FOR_S - expires };
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

/** Connections that a machine's filter refused; none when the machine went meanwhile. @throws ExecError */
export const refusedAt = async (
  namespace: string,
  address: string,
  now: Date,
): Promise<readonly Refused[]> => {
  const elements = await refusedElements(namespace).catch((cause) => {
    if (namespaceExists(namespace)) throw cause;
    return [];
  });
  return elements.map(({ packets, agoS, ...first }) => ({
    flow: flowOf(first, address),
    packets,
    last: new Date(now.getTime() - agoS * 1000),
  }));
};
