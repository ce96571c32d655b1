import { machineOf } from '../api/micro-vm.ts';
import { type Node, pods } from '../api/resources.ts';
import type { Sight } from '../core/machine/fate.ts';
import type { Machine } from '../core/machine/machine.ts';
import { nodeNameOf } from '../core/machine/node.ts';
import { MICROVM_ANNOTATION } from '../core/names.ts';
import type { Pod } from '../core/pod.ts';
import { orNothing } from '../kube/client.ts';
import type { Context, View } from './context.ts';
import { hasJoined } from './join.ts';

/** Looks at everything that one machine consists of; undefined when its MicroVM does not exist. */
export const look = async (name: string, context: Context): Promise<View | undefined> => {
  const vm = context.microVMs.get(name);
  if (vm === undefined) return undefined;
  const machine = machineOf(vm);
  const node = context.nodes.get(nodeNameOf(machine));
  const holder = node?.metadata.annotations?.[MICROVM_ANNOTATION] ?? '';
  return {
    vm,
    machine,
    pod: ofMachine(machine, context.pods.get(`${machine.pod.namespace}/${machine.pod.name}`)),
    node: holder === name ? node : undefined,
    taken: holder !== name && context.microVMs.get(holder) !== undefined,
    seen: await context.provider.inspect(name),
  };
};

/** The machine's pod as the API server has it at this moment. */
export const lookAtPod = async (machine: Machine, { client }: Context): Promise<Pod | undefined> => {
  const { namespace, name } = machine.pod;
  return ofMachine(machine, await orNothing(client.get(pods, { namespace, name })));
};

const ofMachine = ({ pod: { uid } }: Machine, pod: Pod | undefined): Pod | undefined =>
  pod?.metadata.uid === uid ? pod : undefined;

/** Whether all containers of the pod have ended for good. */
export const hasEnded = (pod: Pod | undefined): boolean =>
  pod?.status?.phase === 'Succeeded' || pod?.status?.phase === 'Failed';

/** A view reduced to what a machine's fate depends on. */
export const sightOf = ({ vm, machine, pod, node, taken, seen }: View, now: Date): Sight => ({
  machine: seen.state,
  ...(seen.state === 'dead' ? { reason: seen.reason } : {}),
  ageMs: seen.state === 'running' ? now.getTime() - seen.startedAt.getTime() : 0,
  joined: hasJoined(node) || vm.status?.stages?.Joined !== undefined,
  node: taken ? 'taken' : stateOf(node),
  leaving: vm.metadata.deletionTimestamp !== undefined,
  ...(pod === undefined
    ? {}
    : { pod: { bound: boundTo(pod, machine), leaving: isLeaving(pod), ended: hasEnded(pod) } }),
});

const stateOf = (node: Node | undefined): Sight['node'] => {
  if (node === undefined) return 'absent';
  return node.metadata.deletionTimestamp === undefined ? 'present' : 'leaving';
};

const isLeaving = (pod: Pod): boolean => pod.metadata.deletionTimestamp !== undefined;

const boundTo = (pod: Pod, machine: View['machine']): 'no' | 'here' | 'elsewhere' => {
  if (pod.spec.nodeName === undefined || pod.spec.nodeName === '') return 'no';
  return pod.spec.nodeName === nodeNameOf(machine) ? 'here' : 'elsewhere';
};
