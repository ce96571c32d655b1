/** Ports of containers that the node itself listens on (spec/fargate.md §6). */
import { KUBELET_PORT } from '../machine/node.ts';
import type { Container, Pod } from '../pod.ts';

const listensByArgument = (word: string): boolean => {
  const [flag = '', value = ''] = word.split('=');
  return flag.endsWith('port') && value === String(KUBELET_PORT);
};

const collides = (container: Container): boolean =>
  (container.ports ?? []).some(
    ({ containerPort, protocol = 'TCP' }) => containerPort === KUBELET_PORT && protocol === 'TCP',
  ) || [...(container.command ?? []), ...(container.args ?? [])].some(listensByArgument);

/** One sentence for each container that would listen where the kubelet answers. */
export const portCollisions = (pod: Pod): readonly string[] =>
  [...(pod.spec.initContainers ?? []), ...pod.spec.containers]
    .filter(collides)
    .map(
      ({ name }) =>
        `container ${name} listens on port ${KUBELET_PORT}, which is the kubelet's on the pod's own address; use another, such as ${KUBELET_PORT + 1}`,
    );
