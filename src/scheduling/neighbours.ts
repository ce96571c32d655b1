/** The pods that the rules of one pod look at, where its profile honours them. */
import type { FargateProfile } from '../api/fargate-profile.ts';
import { namespaces, nodes, pods as podResource } from '../api/resources.ts';
import { machineName } from '../core/machine/microvm.ts';
import { PROFILE_LABEL, SCHEDULER } from '../core/names.ts';
import { looksAtOthers, onMachines, onNodes } from '../core/placement/neighbours.ts';
import type { Occupancy } from '../core/placement/occupancy.ts';
import type { Neighbour, Neighbourhood } from '../core/placement/topology.ts';
import type { Pod } from '../core/pod.ts';
import type { Matcher } from '../core/profile/match.ts';
import type { KubeClient } from '../kube/client.ts';
import type { Store } from '../kube/store.ts';

/** Where pods are looked up. */
interface Sources {
  readonly client: KubeClient;
  readonly pods: Store<Pod>;
  readonly matcher: () => Matcher<FargateProfile>;
  readonly reservations: { readonly occupancy: Occupancy };
}

/** What has to be asked for: pods of other schedulers, and the labels of namespaces. */
interface Asked {
  readonly others: readonly Neighbour[];
  readonly namespaceLabels: Neighbourhood['namespaceLabels'];
}

const NOTHING_ASKED: Asked = { others: [], namespaceLabels: () => ({}) };

/**
 * Asks the API server for what no store holds. Only a pod with rules of its own, under a profile that honours
 * them, costs these requests.
 * @returns how to see the neighbourhood at any later moment, with what was placed meanwhile; undefined when the
 *   profile of the pod does not honour topology
 */
export const lookAround = async (pod: Pod, sources: Sources): Promise<(() => Neighbourhood) | undefined> => {
  const profile = sources.matcher().get(pod.metadata.labels?.[PROFILE_LABEL] ?? '');
  if (!profile?.spec.policy?.topology) return undefined;
  const { others, namespaceLabels } = looksAtOthers(pod) ? await ask(sources.client) : NOTHING_ASKED;
  const { occupancy } = sources.reservations;
  const machineOf = ({ metadata }: Pod) => occupancy.get(machineName(metadata.uid ?? ''));
  return () => ({ pods: [...others, ...onMachines(sources.pods.list(), machineOf)], namespaceLabels });
};

const ask = async (client: KubeClient): Promise<Asked> => {
  const [others, allNodes, allNamespaces] = await Promise.all([
    client.list(podResource, { fieldSelector: `spec.schedulerName!=${SCHEDULER},spec.nodeName!=` }),
    client.list(nodes),
    client.list(namespaces),
  ]);
  const labels = new Map(allNamespaces.map(({ metadata }) => [metadata.name, metadata.labels ?? {}]));
  return { others: onNodes(others, allNodes), namespaceLabels: (name) => labels.get(name) ?? {} };
};
