/** The packet filter around one machine, as an nftables script. Pure. */
import type { Machine } from '../../core/machine/machine.ts';
import { KUBELET_PORT } from '../../core/machine/node.ts';
import { NODE_ADDRESS } from './link.ts';

/** Rules for one direction in nftables' words, ending in a verdict; what falls through is dropped. */
export interface GroupRules {
  readonly ingress: readonly string[];
  readonly egress: readonly string[];
}

/** The cluster security group, for machines that name none: everything in, everything out (spec/fargate.md §6). */
export const CLUSTER_GROUP: GroupRules = { ingress: ['accept'], egress: ['accept'] };

const rules = (lines: readonly string[]): string => lines.map((line) => `    ${line}\n`).join('');

/**
 * Everything that passes between `eth0` and `tap0` is filtered here, out of reach of root inside the guest: only
 * the machine's own addresses leave the tap, link-local destinations (the instance metadata address among them)
 * and IPv6 are dropped, connections are tracked, and what remains is for the security groups to say. Each drop
 * has a counter and a reason. The node's own traffic is translated here too, so the filter can tell it from the
 * pod's (prototype fact 5).
 */
export const ruleset = (machine: Machine, groups: GroupRules = CLUSTER_GROUP): string => {
  const { address } = machine.placement;
  return `table inet machine
delete table inet machine
table inet machine {
  chain input {
    type filter hook input priority filter; policy drop;
    iifname "lo" accept
  }

  chain forward {
    type filter hook forward priority filter; policy drop;
    meta nfproto ipv6 counter drop comment "IPv6 is not routed"
    iifname "tap0" oifname "eth0" goto from_guest
    iifname "eth0" oifname "tap0" goto to_guest
    counter drop comment "neither from nor to the guest"
  }

  chain from_guest {
    ip saddr != { ${address}, ${NODE_ADDRESS} } counter drop comment "source address is not the machine's"
    ip daddr 169.254.169.254 counter drop comment "instance metadata is not available"
    ip daddr 169.254.0.0/16 counter drop comment "link-local addresses are not routed"
    ct state invalid counter drop comment "belongs to no connection"
    ct state established,related accept
    goto egress
  }

  chain to_guest {
    ip daddr != { ${address}, ${NODE_ADDRESS} } counter drop comment "destination is not the machine"
    ct state invalid counter drop comment "belongs to no connection"
    ct state established,related accept
    ip daddr ${NODE_ADDRESS} ct status & dnat == 0 counter drop comment "the node is reached by the pod's address only"
    goto ingress
  }

  chain egress {
${rules(groups.egress)}    counter drop comment "no security group allows it out"
  }

  chain ingress {
${rules(groups.ingress)}    counter drop comment "no security group allows it in"
  }

  chain to_kubelet {
    type nat hook prerouting priority dstnat; policy accept;
    iifname "eth0" ip daddr ${address} tcp dport ${KUBELET_PORT} dnat ip to ${NODE_ADDRESS}
  }

  chain from_node {
    type nat hook postrouting priority srcnat; policy accept;
    oifname "eth0" ip saddr ${NODE_ADDRESS} snat ip to ${address}
  }
}
`;
};
