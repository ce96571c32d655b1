/** The world that firewalls are made from, as the stores are now. */
import { machineOf } from '../api/micro-vm.ts';
import { type World, worldOf } from '../core/firewall/world.ts';
import { type PodAt, podsByAddress } from '../core/flows/peers.ts';
import { NETWORK } from '../core/net/network.ts';
import { watchNeeds } from './changes.ts';
import type { FirewallStores } from './stores.ts';

/** Answers that are indexed anew only after a change. */
export interface LiveWorld {
  now(): World;
  readonly podAt: PodAt;
  /** Ends following the stores. */
  readonly stop: () => void;
}

/** Starts following the stores. Who listens to them later finds the world changed already. */
export const liveWorld = (stores: FirewallStores): LiveWorld => {
  let world: World | undefined;
  let podAt: PodAt | undefined;
  const machines = () => stores.microVMs.list().map(machineOf);
  const stop = watchNeeds(stores, () => {
    world = undefined;
    podAt = undefined;
  });
  return {
    stop,
    now: () => {
      world ??= worldOf({
        machines: machines(),
        pods: stores.peers.list(),
        namespaces: stores.namespaces.list(),
        groups: stores.securityGroups.list(),
        prefixLists: stores.prefixLists.list(),
        policies: stores.policies.list(),
        network: stores.networks.get(NETWORK)?.spec,
      });
      return world;
    },
    podAt: (address) => {
      podAt ??= podsByAddress(machines(), stores.peers.list());
      return podAt(address);
    },
  };
};
