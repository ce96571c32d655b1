import { machineOf } from '../api/micro-vm.ts';
import { MICROVM_ANNOTATION } from '../api/names.ts';
import type { Sight } from '../core/machine/fate.ts';
import { nodeNameOf } from '../core/machine/node.ts';
import type { Pod } from '../core/pod.ts';
import type { Context, View } from './context.ts';
import { hasJoined } from './join.ts';

/** Looks at everything that one machine consists of; undefined when its MicroVM does not exist. */
export const look = async (name: string, context: Context): Promise<View | undefined> => {
  const vm = context.microVMs.get(name);
  if (vm === undefined) return undefined;
  const machine = machineOf(vm);
  const pod = context.pods.get(`${machine.pod.namespace}/${machine.pod.name}`);
  const node = context.nodes.get(nodeNameOf(machine));
  return {
    vm,
    machine,
    pod: pod?.metadata.uid === machine.pod.uid ? pod : undefined,
    node: node?.metadata.annotations?.[MICROVM_ANNOTATION] === name ? node : undefined,
    seen: await context.provider.inspect(name),
  };
};

/** Whether all containers of the pod have ended for good. */
export const hasEnded = (pod: Pod | undefined): boolean =>
  pod?.status?.phase === 'Succeeded' || pod?.status?.phase === 'Failed';

/** A view reduced to what a machine's fate depends on. */
export const sightOf = ({ vm, machine, pod, node, seen }: View, now: Date): Sight => ({
  machine: seen.state,
  ...(seen.state === 'dead' ? { reason: seen.reason } : {}),
  ageMs: seen.state === 'running' ? now.getTime() - seen.startedAt.getTime() : 0,
  joined: hasJoined(node) || vm.status?.stages?.Joined !== undefined,
  node: node === undefined ? 'absent' : node.metadata.deletionTimestamp === undefined ? 'present' : 'leaving',
  leaving: vm.metadata.deletionTimestamp !== undefined,
  ...(pod === undefined
    ? {}
    : { pod: { bound: boundTo(pod, machine), leaving: isLeaving(pod), ended: hasEnded(pod) } }),
});

const isLeaving = (pod: Pod): boolean => pod.metadata.deletionTimestamp !== undefined;

const boundTo = (pod: Pod, machine: View['machine']): 'no' | 'here' | 'elsewhere' => {
  if (pod.spec.nodeName === undefined || pod.spec.nodeName === '') return 'no';
  return pod.spec.nodeName === nodeNameOf(machine) ? 'here' : 'elsewhere';
};
