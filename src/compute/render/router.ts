/** nftables rulesets of the VPC router and of its uplink, as text. Pure. */
import { createHash } from 'node:crypto';

/** Beginning of every uplink's name on the host. */
export const UPLINK_PREFIX = 'clo';

/** The host's end of a router's uplink: `clo` and 8 hexadecimal digits of the router's name, 11 characters. */
export const uplinkName = (router: string): string =>
  `${UPLINK_PREFIX}${createHash('sha256').update(router).digest('hex').slice(0, 8)}`;

/** Puts a table in place of whatever stood under its name, in one transaction (nft(8), "add" then "delete"). */
const replaceTable = (name: string, body: string): string =>
  `table inet ${name}\ndelete table inet ${name}\ntable inet ${name} {\n${body}}\n`;

/**
 * The router's own rules: link-local addresses (instance metadata among them) are never routed, the uplink
 * lets only answers in, and the router itself answers nothing but ICMP. It keeps track of connections through the
 * uplink alone: those between attached addresses cost less so, and no machine can fill the table of all.
 */
export const vpcRuleset = (): string =>
  replaceTable(
    'vpc',
    `  chain untracked {
    type filter hook prerouting priority raw; policy accept;
    iifname != "uplink" fib daddr oifname != "uplink" notrack
  }
  chain input {
    type filter hook input priority filter; policy drop;
    iifname "lo" accept
    ip protocol icmp accept
  }
  chain forward {
    type filter hook forward priority filter; policy accept;
    ip daddr 169.254.0.0/16 counter drop comment "link-local addresses are not routed"
    ip saddr 169.254.0.0/16 counter drop comment "link-local sources are not routed"
    iifname "uplink" ct state != { established, related } counter drop comment "no way in from outside"
    oifname "uplink" tcp flags syn tcp option maxseg size set rt mtu
  }
  chain postrouting {
    type nat hook postrouting priority srcnat; policy accept;
    oifname "uplink" masquerade
  }
`,
  );

/**
 * The host's rules for one uplink: what comes from it may go on to the network, never to the host itself.
 * @param device the host's default device, where it forwarded nothing before: it forwards to uplinks alone
 */
export const uplinkHostRuleset = (router: string, device?: string): string => {
  const uplink = uplinkName(router);
  const guard = device === undefined ? '' : `    iifname "${device}" oifname != "${UPLINK_PREFIX}*" drop\n`;
  return replaceTable(
    uplink,
    `  chain input {
    type filter hook input priority filter; policy accept;
    iifname "${uplink}" drop
  }
  chain forward {
    type filter hook forward priority filter; policy accept;
    oifname "${uplink}" ct state != { established, related } drop
${guard}  }
  chain postrouting {
    type nat hook postrouting priority srcnat; policy accept;
    iifname "${uplink}" masquerade
  }
`,
  );
};
