/** Wires the balancers: their stores, what admission reads of them, and the feature itself. */
import type { Logger } from 'pino';
import { type Gates, gatesFrom } from '../admission/gates.ts';
import {
  endpointSlices,
  ingressClasses,
  ingresses,
  type Namespace,
  type Pod,
  secrets,
  services,
} from '../api/resources.ts';
import { runBalancing } from '../balancing/balancing.ts';
import { BALANCER_COMPONENT } from '../balancing/complaints.ts';
import { localBalancer } from '../compute/local/balancer.ts';
import { TLS_SECRET_TYPE } from '../core/balancing/certificates.ts';
import { parseNetwork } from '../core/net/ipv4.ts';
import type { KubeClient } from '../kube/client.ts';
import { eventRecorder } from '../kube/events.ts';
import { type Store, watchStore } from '../kube/store.ts';
import type { BalancingConfig } from './config.ts';

/** Balancing before it runs: admission needs its gates first. */
export interface PreparedBalancing {
  readonly gates: Gates;
  /** Starts it; gives the way to stop it and its stores. */
  run(): { stop(): Promise<void> };
}

/** What balancing shares with the rest of the controller. */
interface BalancingSurroundings {
  readonly client: KubeClient;
  readonly namespaces: Store<Namespace>;
  readonly pods: Store<Pod>;
  readonly log: Logger;
}

/** Opens the stores. @throws Error when the configured range is none */
export const prepareBalancing = async (
  config: BalancingConfig,
  { client, namespaces, pods, log }: BalancingSurroundings,
): Promise<PreparedBalancing> => {
  const network = parseNetwork(config.cidr);
  if (network === undefined) throw new Error(`balancing.cidr ${config.cidr} is no IPv4 network`);
  const stores = {
    services: watchStore(client, services, { log }),
    ingresses: watchStore(client, ingresses, { log }),
    classes: watchStore(client, ingressClasses, { log }),
    slices: watchStore(client, endpointSlices, { log }),
    secrets: watchStore(client, secrets, { fieldSelector: `type=${TLS_SECRET_TYPE}`, log }),
  };
  await Promise.all(Object.values(stores).map((store: Store<unknown>) => store.synced));
  return {
    gates: gatesFrom({ ...stores, namespaces }),
    run: () => {
      const running = runBalancing({
        ...stores,
        pods,
        client,
        balancer: localBalancer(config),
        range: { ...network, cidr: config.cidr },
        events: eventRecorder(client, BALANCER_COMPONENT),
        log,
        now: () => new Date(),
      });
      return {
        stop: async () => {
          await running.stop();
          for (const store of Object.values(stores)) store.stop();
        },
      };
    },
  };
};
