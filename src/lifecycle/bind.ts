import { type Binding, pods } from '../api/resources.ts';
import { nodeNameOf } from '../core/machine/node.ts';
import { CAPACITY_ANNOTATION, LOGGING_ANNOTATION } from '../core/names.ts';
import { capacityProvisioned } from '../core/sizing/size.ts';
import { isConflict } from '../kube/client.ts';
import { type StageOfLife, settled, waiting } from './context.ts';

/**
 * Bound: the pod is assigned to its Node as soon as that exists, while the machine still boots, so it runs
 * the moment its kubelet lives. The binding carries the annotations `CapacityProvisioned` and `Logging`
 * (spec/fargate.md §2.2): the API server copies a binding's annotations to the pod, which saves a write.
 */
export const bind: StageOfLife = {
  stage: 'Bound',
  advance: async ({ machine, pod, vm }, { client, events }) => {
    if (pod?.spec.nodeName !== undefined) return settled;
    const { namespace, name, uid } = machine.pod;
    const target = nodeNameOf(machine);
    const logging = vm.metadata.annotations?.[LOGGING_ANNOTATION];
    const binding: Binding = {
      apiVersion: 'v1',
      kind: 'Binding',
      metadata: {
        namespace,
        name,
        uid,
        annotations: {
          [CAPACITY_ANNOTATION]: capacityProvisioned(machine.size),
          ...(logging === undefined ? {} : { [LOGGING_ANNOTATION]: logging }),
        },
      },
      target: { apiVersion: 'v1', kind: 'Node', name: target },
    };
    try {
      await client.create(pods, binding, { subresource: 'binding', namespace, name });
    } catch (cause) {
      if (isConflict(cause))
        return waiting('BindingConflict', 'the pod was bound or replaced meanwhile', 250);
      throw cause;
    }
    await events.event(
      { apiVersion: 'v1', kind: 'Pod', namespace, name, uid },
      'Normal',
      'Scheduled',
      `Successfully assigned ${namespace}/${name} to ${target}`,
    );
    return settled;
  },
};
