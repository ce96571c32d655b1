/** From groups, policies, pods and machines to what may pass one machine. */
import type { Machine } from '../machine/machine.ts';
import { rangesOf, union, without } from '../net/ranges.ts';
import type { Allow, Firewall } from './firewall.ts';
import { groupLayer } from './groups.ts';
import { attentive } from './needs.ts';
import { podsSelected, policyLayer } from './policies.ts';
import { protocolNumber } from './protocol.ts';
import { groupsOf, type KubeletClient, type NodeEgress, type World } from './world.ts';

/** A firewall, and the names of what it was made from (`needs.ts`). */
export interface Compiled {
  readonly firewall: Firewall;
  readonly needs: ReadonlySet<string>;
}

const nodeAllow = ({ cidr, except = [], protocol, ports }: NodeEgress): Allow => {
  const number = protocolNumber(protocol);
  return {
    ...(number === undefined ? {} : { protocol: number }),
    ...(ports === undefined ? {} : { ports }),
    peers: without(rangesOf([cidr]), rangesOf(except)),
    origin: 'node',
  };
};

/** The schema of Network sees to it that a client is a network or two selectors. */
const clientsOf = (clients: readonly KubeletClient[], world: World) =>
  union(
    clients.flatMap(({ cidr, namespaceSelector = {}, podSelector = {} }) =>
      cidr === undefined ? podsSelected(namespaceSelector, podSelector, world) : rangesOf([cidr]),
    ),
  );

/**
 * What may pass a machine.
 * @returns no firewall while the machine's pod or the Network is not known: without them nobody can say which
 * policies select the pod and which group is the default, and a machine that is not filtered yet is closed. Another
 * pod of the same name says nothing about a machine that is about to go
 */
export const firewallOf = (
  machine: Machine,
  everything: World,
): Compiled | { readonly firewall: undefined; readonly needs: ReadonlySet<string> } => {
  const { world, needs } = attentive(everything);
  const { namespace, name, uid } = machine.pod;
  const pod = world.pod(namespace, name);
  const network = world.network();
  if (pod?.uid !== uid || network === undefined) return { firewall: undefined, needs };
  const groups = groupsOf(machine, network);
  const [ingress, egress] = [
    policyLayer(namespace, pod, 'ingress', world),
    policyLayer(namespace, pod, 'egress', world),
  ];
  const firewall: Firewall = {
    address: machine.placement.address,
    groups: {
      ingress: groupLayer(groups, 'ingress', world),
      egress: groupLayer(groups, 'egress', world),
    },
    policies: { ...(ingress && { ingress }), ...(egress && { egress }) },
    node: {
      egress: network.node.egress.map(nodeAllow),
      kubeletClients: clientsOf(network.node.kubeletClients, world),
    },
  };
  return { firewall, needs };
};
