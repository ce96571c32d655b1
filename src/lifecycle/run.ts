import { type StageOfLife, settled, waiting } from './context.ts';

/**
 * Running: the pod's containers have started. From here on the vCPU fraction is enforced; until now it was
 * lifted, so that the node itself starts at full speed.
 */
export const run: StageOfLife = {
  stage: 'Running',
  advance: async ({ machine, pod, vm }, { provider }) => {
    if ((pod?.status?.phase ?? 'Pending') === 'Pending') {
      return waiting('PodPending', 'the kubelet pulls images and starts containers', 5_000);
    }
    if (vm.status?.stages?.Running === undefined) await provider.cap(machine);
    return settled;
  },
};
