/** What root in a guest may try to send: frames that its machine must not let pass. */
import {
  GUEST_MAC,
  ROUTER_ADDRESS,
  ROUTER_MAC,
  TAP_ADDRESS,
  TAP_MAC,
} from '../../src/compute/render/link.ts';
import { arp, ETHERTYPE, frame, icmpv6, ipv4, ipv6, sourceRoute, tcp, udp } from './frames.ts';

/** Hardware addresses: nobody's (RFC 9542, for documentation), everybody's, and none. */
export const FOREIGN_MAC = '00:00:5e:00:53:01';
const EVERY_MAC = 'ff:ff:ff:ff:ff:ff';
const NO_MAC = '00:00:00:00:00:00';

/** Numbers of IP protocols. */
const ICMP = 1;
const TCP = 6;
const UDP = 17;

const METADATA = '169.254.169.254';
const LINK_LOCAL_6 = 'fe80:0000:0000:0000:0000:0000:0000:0001';
const EVERY_NODE_6 = 'ff02:0000:0000:0000:0000:0000:0000:0001';
/** `fd00:ec2::254`, the instance metadata's other address. */
const METADATA_6 = 'fd00:0ec2:0000:0000:0000:0000:0000:0254';

/** Who takes part: the guest that forges, a neighbour that serves `open` alone, a host that may be reached. */
export interface Parties {
  readonly own: string;
  readonly neighbour: string;
  readonly far: string;
  readonly open: number;
  readonly shut: number;
}

/** What is tried. */
export interface Forged {
  readonly name: string;
  /** @param id IPv4 identification of the packets in them */
  readonly frames: (id: number) => readonly Buffer[];
  /** The counter of the machine that says why it goes no further, where there is one. */
  readonly counter?: 'spoofed' | 'metadata' | 'elsewhere' | 'invalid';
}

const LINK = { from: GUEST_MAC, to: TAP_MAC };

/** IPv4 in a frame to the machine's namespace, unless told otherwise. */
export const packet = (
  header: Parameters<typeof ipv4>[0],
  payload = udp('forged'),
  link: Partial<Parameters<typeof frame>[0]> = {},
): Buffer => frame({ ...LINK, type: ETHERTYPE.ipv4, ...link }, ipv4(header, payload));

const arps =
  (to: string, ...claim: Parameters<typeof arp>): Forged['frames'] =>
  () => [frame({ ...LINK, to, type: ETHERTYPE.arp }, arp(...claim))];

const sixes =
  (content: Buffer, vlan?: number): Forged['frames'] =>
  () => [frame({ ...LINK, type: ETHERTYPE.ipv6, ...(vlan === undefined ? {} : { vlan }) }, content)];

/** ARP that says where others are; a guest is asked by nobody, and has nobody to ask. */
const claims = ({ neighbour }: Parties): readonly Forged[] => {
  const gateway = { mac: FOREIGN_MAC, address: ROUTER_ADDRESS };
  const other = { mac: FOREIGN_MAC, address: neighbour };
  return [
    {
      name: 'an ARP reply to all that claims the gateway',
      frames: arps(EVERY_MAC, 'reply', gateway, { ...gateway, mac: EVERY_MAC }),
    },
    {
      name: 'an ARP question that claims a neighbour',
      frames: arps(EVERY_MAC, 'request', other, { ...other, mac: NO_MAC }),
    },
    {
      name: 'an ARP reply to the gateway for a neighbour',
      frames: arps(TAP_MAC, 'reply', other, { mac: ROUTER_MAC, address: ROUTER_ADDRESS }),
    },
    {
      name: "an ARP question for the namespace from a neighbour's address",
      frames: arps(EVERY_MAC, 'request', other, { mac: NO_MAC, address: TAP_ADDRESS }),
    },
  ];
};

/** Sources that are not the guest's own, in every wrapping. */
const sources = ({ neighbour, far }: Parties): readonly Forged[] => {
  const from = { from: neighbour, to: far, protocol: UDP };
  const long = udp('forged, and in two parts');
  /** An ICMP redirect of all that goes to a host, to the neighbour (RFC 792). */
  const redirect = Buffer.from('0501 f8f6 0a2a 4009'.replaceAll(' ', ''), 'hex');
  const spoofed = (name: string, frames: Forged['frames']): Forged => ({ name, frames, counter: 'spoofed' });
  return [
    spoofed("a neighbour's source", (id) => [packet({ ...from, id })]),
    spoofed("the gateway's source", (id) => [packet({ ...from, from: ROUTER_ADDRESS, id })]),
    spoofed('a loopback source', (id) => [packet({ ...from, from: '127.0.0.1', id })]),
    spoofed('no source, to everybody, as DHCP asks', (id) => [
      packet({ ...from, from: '0.0.0.0', to: '255.255.255.255', id }, udp('who am I'), { to: EVERY_MAC }),
    ]),
    spoofed("a neighbour's source behind a foreign hardware address", (id) => [
      packet({ ...from, id }, udp('forged'), { from: FOREIGN_MAC }),
    ]),
    spoofed("an ICMP redirect in the gateway's name", (id) => [
      packet({ from: ROUTER_ADDRESS, to: far, protocol: ICMP, id }, redirect),
    ]),
    spoofed("a neighbour's source in two parts", (id) => [
      packet({ ...from, id, part: { at: 0, more: true } }, long.subarray(0, 16)),
      packet({ ...from, id, part: { at: 16, more: false } }, long.subarray(16)),
    ]),
    spoofed("a neighbour's source with a priority tag", (id) => [
      packet({ ...from, id }, udp('forged'), { vlan: 0 }),
    ]),
    {
      name: "a neighbour's source in a VLAN",
      frames: (id) => [packet({ ...from, id }, udp('forged'), { vlan: 7 })],
    },
  ];
};

/** Its own source on ways that lead nowhere. */
const ways = ({ own, neighbour, far, open, shut }: Parties): readonly Forged[] => {
  const from = { from: own, to: far, protocol: UDP };
  const [allowed, refused] = [open, shut].map((port) => tcp(own, neighbour, port)) as [Buffer, Buffer];
  return [
    { name: 'a packet in a VLAN', frames: (id) => [packet({ ...from, id }, udp('forged'), { vlan: 7 })] },
    {
      name: 'a route by way of the namespace to a neighbour',
      frames: (id) => [packet({ ...from, to: TAP_ADDRESS, id, options: sourceRoute(neighbour) })],
    },
    {
      name: 'a packet to all hardware addresses',
      frames: (id) => [packet({ ...from, id }, udp('forged'), { to: EVERY_MAC })],
    },
    {
      name: 'a packet past the gateway',
      frames: (id) => [packet({ ...from, id }, udp('forged'), { to: ROUTER_MAC })],
    },
    {
      name: 'a packet to a multicast group',
      frames: (id) => [packet({ ...from, to: '224.0.0.251', id }, udp('hello'), { to: '01:00:5e:00:00:fb' })],
    },
    { name: 'a packet to itself', frames: (id) => [packet({ ...from, to: own, id })], counter: 'elsewhere' },
    {
      name: 'a packet to the instance metadata',
      frames: (id) => [packet({ ...from, to: METADATA, id })],
      counter: 'metadata',
    },
    {
      name: 'a segment of no connection',
      frames: (id) => [packet({ ...from, protocol: TCP, id }, tcp(own, far, open, 'ack'))],
      counter: 'invalid',
    },
    {
      name: 'a first part that no other follows',
      frames: (id) => [packet({ ...from, id, part: { at: 0, more: true } }, udp('forged').subarray(0, 8))],
    },
    {
      name: 'parts that overlap',
      frames: (id) => [
        packet(
          { from: own, to: neighbour, protocol: TCP, id, part: { at: 0, more: true } },
          allowed.subarray(0, 16),
        ),
        packet(
          { from: own, to: neighbour, protocol: TCP, id, part: { at: 8, more: false } },
          refused.subarray(8),
        ),
      ],
    },
  ];
};

/** There is no IPv6 on a machine's link, neither to others nor to the metadata. */
const otherFamily: readonly Forged[] = [
  {
    name: 'an IPv6 router advertisement',
    frames: sixes(icmpv6(LINK_LOCAL_6, EVERY_NODE_6, '86000000 40000708 00000000 00000000')),
  },
  {
    name: 'a packet to the instance metadata over IPv6',
    frames: sixes(ipv6(LINK_LOCAL_6, METADATA_6, UDP, udp('forged'))),
  },
  {
    name: 'a foreign source over IPv6, with a priority tag',
    frames: sixes(ipv6(METADATA_6, EVERY_NODE_6, UDP, udp('forged')), 0),
  },
];

/** All that is tried. */
export const forged = (parties: Parties): readonly Forged[] => [
  ...claims(parties),
  ...sources(parties),
  ...ways(parties),
  ...otherFamily,
];
