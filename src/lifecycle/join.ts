import type { Node } from '../api/resources.ts';
import { type StageOfLife, settled, waiting } from './context.ts';

/** Whether a kubelet has ever reported on this Node: only a kubelet writes the boot id. */
export const hasJoined = (node: Node | undefined): boolean => (node?.status?.nodeInfo?.bootID ?? '') !== '';

/** Joined: the kubelet in the guest reports on the Node that was made for it. */
export const join: StageOfLife = {
  stage: 'Joined',
  advance: async ({ node }) =>
    hasJoined(node)
      ? settled
      : waiting('KubeletStarting', 'the kubelet in the guest has not reported yet', 5_000),
};
