/**
 * The VPC router of a cluster: a network namespace to which every other one is attached by a routed veth
 * pair. Inside the attached namespace `eth0` has the address and a default route by way of 169.254.0.1; the
 * router has one route per attached address. There is no bridge: every packet passes a routed path, the only
 * place where this kernel can filter with connection tracking.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { parseNetwork } from '../../core/net/ipv4.ts';
import { exec } from '../../host/exec.ts';
import {
  addNamespace,
  inNamespace,
  ipBatch,
  namespaceExists,
  removeNamespace,
} from '../../host/namespace.ts';
import { ROUTER_ADDRESS, ROUTER_MAC } from '../render/link.ts';
import { UPLINK_PREFIX, uplinkHostRuleset, uplinkName, vpcRuleset } from '../render/router.ts';

/** The router's interface towards an attached address: `v` and the address in hexadecimal, 9 characters. */
export const linkName = (address: string): string =>
  `v${address
    .split('.')
    .map((octet) => Number(octet).toString(16).padStart(2, '0'))
    .join('')}`;

const inside = async (namespace: string, program: string, args: readonly string[], input?: string) => {
  const [command, all] = inNamespace(namespace, program, args);
  return exec(command, all, input === undefined ? {} : { input });
};

/** Kernel settings of a namespace, by their path below /proc/sys/net. */
const settings = async (namespace: string, values: Readonly<Record<string, string>>): Promise<void> => {
  const lines = Object.entries(values).map(([path, value]) => `echo ${value} >/proc/sys/net/${path}`);
  await inside(namespace, 'sh', ['-ec', lines.join('\n')]);
};

const hasLink = async (namespace: string, link: string): Promise<boolean> =>
  (await exec('ip', ['-n', namespace, '-br', 'link', 'show'])).split('\n').some((line) => {
    const name = line.split(/[\s@]/)[0];
    return name === link;
  });

/** A router and what lies behind it. */
export interface Router {
  /** Its namespace. */
  readonly name: string;
  /** The VPC's primary network, enclosed from the first moment; `enclose` tells all of them. */
  readonly network: string;
  /** Whether there is a way out. */
  readonly egress: boolean;
}

/**
 * Makes the router namespace, or completes one that was left half-made. With `egress` it gets an uplink to
 * the host's default route, and masquerades; nothing can come in that way.
 * @throws ExecError when the kernel refuses (a missing feature is named in the error)
 */
export const createRouter = async (router: Router): Promise<void> => {
  await addNamespace(router.name);
  // Strict reverse-path filtering: with one route per address, nobody sends from an address not its own, nor says
  // itself which way a packet takes.
  await settings(router.name, {
    'ipv4/ip_forward': '1',
    'ipv4/conf/all/accept_source_route': '0',
    'ipv4/conf/all/rp_filter': '1',
    'ipv4/conf/default/rp_filter': '1',
    'ipv6/conf/all/disable_ipv6': '1',
    'ipv6/conf/default/disable_ipv6': '1',
  });
  await inside(router.name, 'nft', ['-f', '-'], vpcRuleset());
  await ipBatch(router.name, [nowhere(router.network)]);
  if (router.egress) await addUplink(router.name);
};

/** Leaves a network nowhere to lead to. Whatever is routed goes first, were it the very same network. */
const nowhere = (network: string): string => `route replace unreachable ${network} metric 1000`;

/** The networks that are enclosed, as ip(8) shows them: one of a single address without its prefix. */
export const enclosed = async (router: string): Promise<readonly string[]> => {
  const show = ['-n', router, '-4', '-j', 'route', 'show', 'type', 'unreachable'];
  return (JSON.parse(await exec('ip', show)) as readonly { readonly dst: string }[]).map(({ dst }) => dst);
};

/**
 * Encloses exactly these networks: what of them is attached to nothing leads nowhere, and never out. At no moment is
 * one of them open that was enclosed before. IPv6 is not routed at all.
 */
export const enclose = async (router: string, networks: readonly string[]): Promise<void> => {
  const own = networks.filter((network) => parseNetwork(network) !== undefined);
  const kept = new Set(own.map((network) => network.replace(/\/32$/, '')));
  const left = (await enclosed(router)).filter((network) => !kept.has(network));
  await ipBatch(router, [...own.map(nowhere), ...left.map((network) => `route del unreachable ${network}`)]);
};

/** The one of the host's links that its default route leads to. @throws Error when there is none */
const defaultOf = async (links: readonly HostLink[]): Promise<HostLink> => {
  const routes = JSON.parse(await exec('ip', ['-4', '-j', 'route', 'show', 'default'])) as { dev?: string }[];
  const link = links.find(({ ifname }) => ifname === routes[0]?.dev);
  if (link === undefined) {
    throw new Error('this host has no default route, so machines can have no egress: start without egress');
  }
  return link;
};

const forwardingOf = (device: string): string => `/proc/sys/net/ipv4/conf/${device}/forwarding`;

/** The first /30 of 169.254.255.0/24 that no interface of the host uses; gives its third number's base. */
const freeUplinkBlock = async (): Promise<number> => {
  const links = JSON.parse(await exec('ip', ['-4', '-j', 'addr', 'show'])) as {
    addr_info?: { local?: string }[];
  }[];
  const used = new Set(links.flatMap((link) => link.addr_info?.map((info) => info.local) ?? []));
  for (let base = 0; base < 256; base += 4) if (!used.has(`169.254.255.${base + 1}`)) return base;
  throw new Error('all 64 uplink networks in 169.254.255.0/24 are taken by interfaces of this host');
};

/** Whether the uplink was made to its end, which is the router's default route. */
const hasUplink = async (router: string): Promise<boolean> =>
  (await exec('ip', ['-n', router, '-4', 'route', 'show', 'default', 'dev', 'uplink']).catch(() => '')) !==
  '';

/** What forwarding of the device was before there was an uplink: the first one saw it, later ones ask that one. */
const forwardingBefore = (device: string, links: readonly HostLink[]): string =>
  links
    .find(({ ifname, ifalias }) => isUplink(ifname) && ifalias?.startsWith(`${device} `))
    ?.ifalias?.split(' ')[1] ?? readFileSync(forwardingOf(device), 'utf8').trim();

const addUplink = async (router: string): Promise<void> => {
  const peer = uplinkName(router);
  const links = await hostLinks();
  const { ifname: device, mtu } = await defaultOf(links);
  const before = forwardingBefore(device, links);
  if (!(await hasUplink(router))) {
    if (links.some(({ ifname }) => ifname === peer)) await exec('ip', ['link', 'del', peer]);
    await makeUplink(router, peer, { mtu, before: `${device} ${before}` });
  }
  const rules = uplinkHostRuleset(router, before === '0' ? device : undefined);
  await exec('nft', ['-f', '-'], { input: rules });
  // Per interface and not for the whole host: no other interface of the host begins to forward.
  for (const name of [peer, device]) writeFileSync(forwardingOf(name), '1');
};

/**
 * With the host's own maximum packet size the router is where larger packets are refused, not beyond. The default
 * device and what its forwarding was before stay as the link's alias, to be put back when the router goes.
 */
const makeUplink = async (
  router: string,
  peer: string,
  { mtu, before }: { readonly mtu: number; readonly before: string },
): Promise<void> => {
  const base = await freeUplinkBlock();
  const [host, own] = [`169.254.255.${base + 1}`, `169.254.255.${base + 2}`];
  const link = `link add ${peer} mtu ${mtu} type veth peer name uplink mtu ${mtu} netns ${router}`;
  const lines = [link, `link set ${peer} alias "${before}" up`, `addr add ${host}/30 dev ${peer}`, ''];
  await exec('ip', ['-batch', '-'], { input: lines.join('\n') });
  await ipBatch(router, [
    `addr add ${own}/30 dev uplink`,
    'link set uplink up',
    `route replace default via ${host} dev uplink`,
  ]);
};

/** An address, the namespace that gets it and the router it is attached to. */
export interface Attachment {
  readonly router: string;
  readonly namespace: string;
  /** IPv4, without a prefix length. */
  readonly address: string;
}

/** Gives the namespace, which must exist, an `eth0` with the address. Completes what is half-made. */
export const attach = async ({ router, namespace, address }: Attachment): Promise<void> => {
  const link = linkName(address);
  // The other end of a link may have gone with its namespace, while the kernel has not yet taken this one away.
  if ((await hasLink(router, link)) && !(await hasLink(namespace, 'eth0'))) await detach({ router, address });
  if (!(await hasLink(router, link))) {
    await exec('ip', [
      ...['-n', router, 'link', 'add', link, 'address', ROUTER_MAC, 'type', 'veth'],
      ...['peer', 'name', 'eth0', 'netns', namespace],
    ]);
  }
  await ipBatch(router, [
    `addr replace ${ROUTER_ADDRESS}/32 dev ${link}`,
    `link set ${link} up`,
    `route replace ${address}/32 dev ${link}`,
  ]);
  await ipBatch(namespace, [
    `addr replace ${address}/32 dev eth0`,
    'link set eth0 up',
    `route replace default via ${ROUTER_ADDRESS} dev eth0 onlink src ${address}`,
  ]);
};

/** Sends a range by way of an attached address: the pods behind an ordinary node, for example. */
export const route = async (way: { router: string; cidr: string; via: string }): Promise<void> => {
  await ipBatch(way.router, [`route replace ${way.cidr} via ${way.via} dev ${linkName(way.via)} onlink`]);
};

/**
 * Removes the link of an address, and with it `eth0` at the other end; nothing when it does not exist.
 * @param namespace leaves the link alone unless it is this one's: another one may have been given the address
 */
export const detach = async ({
  router,
  address,
  namespace,
}: Omit<Attachment, 'namespace'> & { readonly namespace?: string }): Promise<void> => {
  if (!namespaceExists(router) || !(await hasLink(router, linkName(address)))) return;
  if (namespace !== undefined && !(namespaceExists(namespace) && (await hasLink(namespace, 'eth0')))) return;
  await exec('ip', ['-n', router, 'link', 'del', linkName(address)]);
};

interface HostLink {
  readonly ifname: string;
  readonly mtu: number;
  readonly ifalias?: string;
}

const hostLinks = async (): Promise<readonly HostLink[]> =>
  JSON.parse(await exec('ip', ['-j', 'link', 'show'])) as HostLink[];

const isUplink = (link: string): boolean => link.startsWith(UPLINK_PREFIX);

/** Removes the router, its links and uplink, and puts the host's forwarding back; nothing when it is gone. */
export const removeRouter = async (name: string): Promise<void> => {
  const peer = uplinkName(name);
  const links = await hostLinks();
  const uplink = links.find((link) => link.ifname === peer);
  if (uplink !== undefined) {
    const [device, before] = (uplink.ifalias ?? '').split(' ');
    const others = links.some(({ ifname }) => ifname !== peer && isUplink(ifname));
    if (device && before && !others) writeFileSync(forwardingOf(device), before);
    await exec('ip', ['link', 'del', peer]);
  }
  await removeNamespace(name);
  await exec('nft', ['-f', '-'], { input: `table inet ${peer}\ndelete table inet ${peer}\n` });
};
