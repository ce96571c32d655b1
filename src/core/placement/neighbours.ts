/** Where other pods are, for the rules of those that look at them. */
import type { Node } from 'kubernetes-types/core/v1.js';
import { nodeLabels, nodeNameOf } from '../machine/node.ts';
import type { Pod } from '../pod.ts';
import type { ExistingMachine } from './occupancy.ts';
import type { Candidate } from './selection.ts';
import type { Neighbour } from './topology.ts';

/** The node of a machine, whether or not its object is made already. */
export const nodeOfMachine = (machine: ExistingMachine): Candidate => ({
  name: nodeNameOf(machine),
  labels: nodeLabels(machine.placement, machine.opened?.nodeLabels),
});

/** Whether the pod still counts: its containers may run. */
const counts = ({ status }: Pod): boolean => status?.phase !== 'Succeeded' && status?.phase !== 'Failed';

/** Whether a pod has rules of its own about other pods. */
export const looksAtOthers = ({ spec }: Pod): boolean =>
  spec.affinity?.podAffinity !== undefined ||
  spec.affinity?.podAntiAffinity !== undefined ||
  (spec.topologySpreadConstraints ?? []).length > 0;

/** Pods on machines. @param machineOf the pod's machine, if it has one */
export const onMachines = (
  pods: readonly Pod[],
  machineOf: (pod: Pod) => ExistingMachine | undefined,
): readonly Neighbour[] =>
  pods.filter(counts).flatMap((pod) => {
    const machine = machineOf(pod);
    return machine === undefined ? [] : { pod, node: nodeOfMachine(machine) };
  });

/** Pods on nodes that exist. */
export const onNodes = (pods: readonly Pod[], nodes: readonly Node[]): readonly Neighbour[] => {
  const known = new Map(nodes.map(({ metadata }) => [metadata?.name ?? '', metadata?.labels ?? {}]));
  return pods.filter(counts).flatMap((pod) => {
    const { nodeName = '' } = pod.spec;
    const labels = known.get(nodeName);
    return labels === undefined ? [] : { pod, node: { name: nodeName, labels } };
  });
};
