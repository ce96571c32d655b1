/** Which firewalls a change can touch, as the names of what they were made from (core/firewall/needs.ts). */
import type { MicroVM } from '../api/micro-vm.ts';
import type { Pod } from '../api/resources.ts';
import { need } from '../core/firewall/needs.ts';
import { groupsOf } from '../core/firewall/world.ts';
import { NETWORK } from '../core/net/network.ts';
import { asPeer, type FirewallStores } from './stores.ts';

/** Whether rules read something else of the pod now. */
const differs = (now: Pod | undefined, before: Pod | undefined): boolean => {
  const read = (pod: Pod | undefined) => {
    if (pod === undefined) return undefined;
    const { metadata, spec, status } = asPeer(pod);
    return JSON.stringify([metadata.uid, metadata.labels, spec, status]);
  };
  return read(now) !== read(before);
};

/** Calls `changed` with the names of what gives other answers from now on. @returns how to stop */
export const watchNeeds = (
  stores: FirewallStores,
  changed: (needs: readonly string[]) => void,
): (() => void) => {
  /** A machine's address came or went: its groups have another member, its pod another address. */
  const moved = (vm: MicroVM): readonly string[] => [
    ...groupsOf(vm.spec, stores.networks.get(NETWORK)?.spec).map(need.group),
    need.pods(vm.spec.pod.namespace),
  ];
  const stops = [
    stores.networks.onChange(() => changed([need.network])),
    stores.securityGroups.onChange((name) => changed([need.group(name)])),
    stores.prefixLists.onChange((name) => changed([need.prefixList(name)])),
    stores.namespaces.onChange(() => changed([need.namespaces])),
    stores.policies.onChange((_key, now, before) =>
      changed([need.policies((now ?? before)?.metadata.namespace ?? '')]),
    ),
    stores.peers.onChange((_key, now, before) => {
      const { namespace = '', name = '' } = (now ?? before)?.metadata ?? {};
      if (differs(now, before)) changed([need.pods(namespace), need.pod(namespace, name)]);
    }),
    // The spec of a MicroVM never changes, and nothing else of it matters.
    stores.microVMs.onChange((_name, now, before) => {
      const both = [now, before].filter((vm) => vm !== undefined);
      if (both.length === 1 || now?.metadata.uid !== before?.metadata.uid) changed(both.flatMap(moved));
    }),
  ];
  return () => {
    for (const stop of stops) stop();
  };
};
