/** The objects that bear on what may pass, as the packet filters read them. */
import type { Logger } from 'pino';
import type { MicroVM } from '../api/micro-vm.ts';
import type { Network } from '../api/network.ts';
import type { PrefixList } from '../api/prefix-list.ts';
import {
  microVMs,
  type Namespace,
  type NetworkPolicy,
  namespaces,
  networkPolicies,
  networks,
  type Pod,
  pods,
  prefixLists,
  securityGroups,
} from '../api/resources.ts';
import type { SecurityGroup } from '../api/security-group.ts';
import type { KubeClient } from '../kube/client.ts';
import { type Store, watchStore } from '../kube/store.ts';

/** All that firewalls are made from; much of it is read by others, too. */
export interface FirewallStores {
  readonly microVMs: Store<MicroVM>;
  readonly networks: Store<Network>;
  readonly securityGroups: Store<SecurityGroup>;
  readonly prefixLists: Store<PrefixList>;
  readonly policies: Store<NetworkPolicy>;
  readonly namespaces: Store<Namespace>;
  /** Pods of all schedulers. */
  readonly peers: Store<Pod>;
}

/** What rules read of a pod: who it is, its labels, ports and address, and whether it has ended. */
export const asPeer = ({ metadata, spec, status }: Pod): Pod => {
  const { name = '', namespace = '', uid = '', resourceVersion = '', labels = {} } = metadata;
  const { phase, podIP } = status ?? {};
  const withPorts = [...(spec.initContainers ?? []), ...spec.containers].map(({ name: of, ports = [] }) => ({
    name: of,
    ports: ports.map(({ name: called, protocol, containerPort }) => ({
      containerPort,
      ...(called && { name: called }),
      ...(protocol && { protocol }),
    })),
  }));
  return {
    metadata: { name, namespace, uid, resourceVersion, labels },
    spec: { containers: withPorts, ...(spec.hostNetwork && { hostNetwork: true }) },
    status: { ...(phase && { phase }), ...(podIP && { podIP }) },
  };
};

/** Starts keeping them. @param peers pods as `asPeer` reduces them, with whatever else somebody reads of them */
export const firewallStores = (
  client: KubeClient,
  log: Logger,
  peers: Store<Pod> = watchStore(client, pods, { transform: asPeer, log }),
): FirewallStores => ({
  microVMs: watchStore(client, microVMs, { log }),
  networks: watchStore(client, networks, { log }),
  securityGroups: watchStore(client, securityGroups, { log }),
  prefixLists: watchStore(client, prefixLists, { log }),
  policies: watchStore(client, networkPolicies, { log }),
  namespaces: watchStore(client, namespaces, { log }),
  peers,
});
