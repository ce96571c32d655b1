/** What the stages of balancing work with. */
import type { Logger } from 'pino';
import type { EndpointSlice, Ingress, IngressClass, Pod, Secret, Service } from '../api/resources.ts';
import type { Balancer } from '../compute/balancer.ts';
import type { Network } from '../core/net/ipv4.ts';
import type { KubeClient } from '../kube/client.ts';
import type { EventRecorder } from '../kube/events.ts';
import type { Store } from '../kube/store.ts';

/** The ports of balancing. */
export interface BalancingContext {
  readonly client: KubeClient;
  readonly balancer: Balancer;
  /** Range that balancers get their addresses from, and how it is written. */
  readonly range: Network & { readonly cidr: string };
  readonly services: Store<Service>;
  readonly ingresses: Store<Ingress>;
  readonly classes: Store<IngressClass>;
  readonly slices: Store<EndpointSlice>;
  /** Those that hold certificates. */
  readonly secrets: Store<Secret>;
  /** All pods, at least as `asTarget` reduces them. */
  readonly pods: Store<Pod>;
  readonly events: EventRecorder;
  readonly log: Logger;
  readonly now: () => Date;
}
