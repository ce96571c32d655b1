/**
 * Frames and packets that no kernel would make of itself, byte by byte, and how root sends them: by perl, which every
 * Debian has, with packet and raw sockets and no module.
 */
import { parseAddress } from '../../src/core/net/ipv4.ts';

const hex = (text: string): Buffer => Buffer.from(text.replaceAll(/[:\s]/g, ''), 'hex');
const number16 = (value: number): Buffer => {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16BE(value);
  return bytes;
};
const number32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
};
const addressBytes = (address: string): Buffer => number32(parseAddress(address) as number);

/** The checksum of the internet protocols (RFC 1071). */
const checksum = (bytes: Buffer): Buffer => {
  let sum = 0;
  for (let at = 0; at < bytes.length; at += 2) sum += (bytes[at] as number) * 256 + (bytes[at + 1] ?? 0);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return number16(~sum & 0xffff);
};

export const ETHERTYPE = { ipv4: 0x0800, arp: 0x0806, vlan: 0x8100, ipv6: 0x86dd } as const;

/** An Ethernet frame. @param link.vlan puts it in a VLAN (IEEE 802.1Q) */
export const frame = (
  link: { readonly from: string; readonly to: string; readonly type: number; readonly vlan?: number },
  payload: Buffer,
): Buffer =>
  Buffer.concat([
    hex(link.to),
    hex(link.from),
    ...(link.vlan === undefined ? [] : [number16(ETHERTYPE.vlan), number16(link.vlan)]),
    number16(link.type),
    payload,
  ]);

/** An ARP packet for IPv4 (RFC 826), which says where `sender` is. */
export const arp = (
  operation: 'request' | 'reply',
  sender: { readonly mac: string; readonly address: string },
  target: { readonly mac: string; readonly address: string },
): Buffer =>
  Buffer.concat([
    hex('0001 0800 06 04'),
    number16(operation === 'request' ? 1 : 2),
    hex(sender.mac),
    addressBytes(sender.address),
    hex(target.mac),
    addressBytes(target.address),
  ]);

/** An IPv4 header (RFC 791) and what it carries. */
export const ipv4 = (
  header: {
    readonly from: string;
    readonly to: string;
    readonly protocol: number;
    readonly id: number;
    /** A multiple of four bytes. */
    readonly options?: Buffer;
    /** A part of a larger packet: where it begins in bytes, and whether others follow. */
    readonly part?: { readonly at: number; readonly more: boolean };
  },
  payload: Buffer,
): Buffer => {
  const { from, to, protocol, id, options = Buffer.alloc(0), part = { at: 0, more: false } } = header;
  const length = 20 + options.length;
  const before = Buffer.concat([
    Buffer.from([0x40 + length / 4, 0]),
    number16(length + payload.length),
    number16(id),
    number16((part.more ? 0x2000 : 0) + part.at / 8),
    Buffer.from([64, protocol]),
  ]);
  const after = Buffer.concat([addressBytes(from), addressBytes(to), options]);
  return Buffer.concat([before, checksum(Buffer.concat([before, after])), after, payload]);
};

/** The option that has a packet go by way of these addresses, one after the other (RFC 791, "loose source route"). */
export const sourceRoute = (...way: readonly string[]): Buffer =>
  Buffer.concat([Buffer.from([1, 131, 3 + 4 * way.length, 4]), ...way.map(addressBytes)]);

/** An IPv6 packet (RFC 8200) with an extension or upper-layer header. */
export const ipv6 = (from: string, to: string, next: number, payload: Buffer): Buffer =>
  Buffer.concat([
    hex('60000000'),
    number16(payload.length),
    Buffer.from([next, 255]),
    hex(from),
    hex(to),
    payload,
  ]);

/** An ICMPv6 message (RFC 4443), its checksum over the addresses too. */
export const icmpv6 = (from: string, to: string, body: string): Buffer => {
  const message = hex(body);
  const pseudo = Buffer.concat([hex(from), hex(to), number32(message.length), number32(58), message]);
  checksum(pseudo).copy(message, 2);
  return ipv6(from, to, 58, message);
};

/** The port that everything here comes from: nothing honest uses it. */
export const PORT = 1;

/** A UDP datagram, to the discard port unless told, without a checksum, which IPv4 allows (RFC 768). */
export const udp = (text: string, from = PORT, to = 9): Buffer =>
  Buffer.concat([number16(from), number16(to), number16(8 + text.length), number16(0), Buffer.from(text)]);

/** An ICMP error, "port unreachable", about a packet (RFC 792). */
export const unreachable = (about: Buffer): Buffer => {
  const message = Buffer.concat([hex('0303 0000 00000000'), about]);
  checksum(message).copy(message, 2);
  return message;
};

/** The first segment of a TCP connection (RFC 9293), or one from its midst. */
export const tcp = (from: string, to: string, port: number, flags: 'syn' | 'ack' = 'syn'): Buffer => {
  const segment = Buffer.concat([
    number16(PORT),
    number16(port),
    number32(1),
    number32(0),
    hex(`50${flags === 'syn' ? '02' : '10'} ffff 0000 0000`),
  ]);
  const pseudo = Buffer.concat([addressBytes(from), addressBytes(to), number16(6), number16(segment.length)]);
  checksum(Buffer.concat([pseudo, segment])).copy(segment, 16);
  return segment;
};

/** CRC32c, least significant byte first (RFC 9260, appendix A). */
const crc32c = (bytes: Buffer): Buffer => {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit += 1) crc = (crc >>> 1) ^ (crc & 1 ? 0x82f63b78 : 0);
  }
  const sum = Buffer.alloc(4);
  sum.writeUInt32LE(~crc >>> 0);
  return sum;
};

/** The INIT that begins an SCTP association (RFC 9260, section 3.3.2). */
const sctpInit = (from: number, to: number): Buffer => {
  const chunk = hex('01000014 00000001 0000ffff 0001 0001 00000001');
  const packet = Buffer.concat([number16(from), number16(to), number32(0), number32(0), chunk]);
  crc32c(packet).copy(packet, 8);
  return packet;
};

/**
 * A shell command that sends frames from `eth0` as they are, in their order (packet(7); ioctl 0x8933 is
 * SIOCGIFINDEX, netdevice(7)).
 */
export const sendFrames = (frames: readonly Buffer[]): string => {
  const program = `
    socket(S, 17, 3, 0) or die "socket: $!";
    my $device = pack("a16 x16", "eth0");
    ioctl(S, 0x8933, $device) or die "eth0: $!";
    my $to = pack("S n i S C C a8", 17, 3, unpack("x16 i", $device), 0, 0, 6, "");
    for (@ARGV) { send(S, pack("H*", $_), 0, $to) or die "send: $!" }`;
  return `perl -e '${program}' ${frames.map((bytes) => bytes.toString('hex')).join(' ')}`;
};

/** A shell command that sends a packet as it is, header and all, by a raw socket (raw(7)): NET_RAW is enough. */
export const sendPacket = (to: string, bytes: Buffer): string => {
  const program = `
    socket(S, 2, 3, 255) or die "socket: $!";
    send(S, pack("H*", $ARGV[1]), 0, pack("S n a4 x8", 2, 0, pack("C4", split(/\\./, $ARGV[0])))) or die "send: $!"`;
  return `perl -e '${program}' ${to} ${bytes.toString('hex')}`;
};

/** A shell command that sends a UDP datagram from a port of its own choice. */
export const sendUdp = (from: number, address: string, to: number): string => {
  const program = `
    my $end = sub { pack("S n a4 x8", 2, $_[0], pack("C4", split(/\\./, $_[1]))) };
    socket(S, 2, 2, 17) or die "socket: $!";
    bind(S, $end->($ARGV[0], "0.0.0.0")) or die "bind: $!";
    send(S, "hello", 0, $end->($ARGV[2], $ARGV[1])) or die "send: $!"`;
  return `perl -e '${program}' ${from} ${address} ${to}`;
};

/**
 * A shell command that sends an SCTP INIT by a raw socket (raw(7)) and prints what comes of it, as `agnhost connect`
 * does: REFUSED when the other host answers that it speaks no SCTP (ICMP "protocol unreachable", as ENOPROTOOPT),
 * TIMEOUT when it does not within a second. Two hosts must not probe each other at the same time: the socket of one
 * would take the INIT of the other for its own, and no host would answer.
 */
export const sctpProbe = (address: string, port: number): string => {
  const program = `
    socket(S, 2, 3, 132) or die "socket: $!";
    connect(S, pack("S n a4 x8", 2, 0, pack("C4", split(/\\./, $ARGV[0])))) or die "connect: $!";
    send(S, pack("H*", $ARGV[1]), 0) or die "send: $!";
    my ($found, $left, $said) = (1, 1, "TIMEOUT");
    while ($found && $said eq "TIMEOUT") {
      my $ready = ""; vec($ready, fileno(S), 1) = 1;
      ($found, $left) = select($ready, undef, undef, $left);
      if ($found && !defined recv(S, my $other, 99, 0)) { $said = $! == 92 ? "REFUSED" : "OTHER $!" }
    }
    print $said`;
  return `perl -e '${program}' ${address} ${sctpInit(40_002, port).toString('hex')}`;
};
