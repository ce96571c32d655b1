import { type StageOfLife, settled, waiting } from './context.ts';
import type { Deliveries } from './deliveries.ts';

/**
 * Running: the pod's containers have started. From here on the vCPU fraction is enforced; until now it was
 * lifted, so that the node itself starts at full speed.
 */
export const runWith = (limits: Deliveries): StageOfLife => ({
  stage: 'Running',
  advance: async ({ machine, pod, vm }, { provider }) => {
    if ((pod?.status?.phase ?? 'Pending') === 'Pending') {
      return waiting('PodPending', 'the kubelet pulls images and starts containers', 5_000);
    }
    if (vm.status?.stages?.Running !== undefined) return settled;
    return limits.begin(machine.name, () => provider.cap(machine))
      ? settled
      : waiting('LimitUnderWay', 'the guest has not taken its vCPU limit yet', 5_000);
  },
});
