/** Readiness gates for new pods in namespaces that ask for them (spec/fargate.md §6.2). */
import type { Ingress, Namespace, Service } from '../api/resources.ts';
import { GATE_LABEL, GATE_LABEL_VALUE } from '../core/balancing/annotations.ts';
import { gatePatch } from '../core/balancing/gates.ts';
import type { PatchOperation } from '../core/json-patch.ts';
import type { Pod } from '../core/pod.ts';
import type { Store } from '../kube/store.ts';

/** Gives pods the gates of the balancers that will send them connections. */
export interface Gates {
  /** The patch for a pod, empty when no balancer waits for it. */
  patch(pod: Pod, namespace: string): readonly PatchOperation[];
}

/** What gates are read from. */
export interface GateSources {
  readonly namespaces: Pick<Store<Namespace>, 'get'>;
  readonly services: Pick<Store<Service>, 'list'>;
  readonly ingresses: Pick<Store<Ingress>, 'list'>;
}

/** Gates from stores, which must be synced. */
export const gatesFrom = ({ namespaces, services, ingresses }: GateSources): Gates => ({
  patch: (pod, namespace) => {
    if (namespaces.get(namespace)?.metadata.labels?.[GATE_LABEL] !== GATE_LABEL_VALUE) return [];
    const own = <T extends Service | Ingress>(all: readonly T[]): readonly T[] =>
      all.filter(({ metadata }) => metadata.namespace === namespace);
    return gatePatch(pod, own(services.list()), own(ingresses.list()));
  },
});
