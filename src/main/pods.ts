/** The one watch of all pods, of which several features read a little each. */
import type { Logger } from 'pino';
import { type Pod, pods } from '../api/resources.ts';
import { asTarget } from '../balancing/gates.ts';
import type { KubeClient } from '../kube/client.ts';
import { type Store, watchStore } from '../kube/store.ts';
import { asPeer } from '../network/stores.ts';

/** Of a pod only what packet filters or balancers read: no selector can tell which pods they need. */
const reduced = (pod: Pod): Pod => {
  const [peer, target] = [asPeer(pod), asTarget(pod)];
  return {
    metadata: { ...target.metadata, ...peer.metadata },
    spec: { ...target.spec, ...peer.spec },
    status: { ...target.status, ...peer.status },
  };
};

/** Starts keeping all pods of the cluster. */
export const everyPod = (client: KubeClient, log: Logger): Store<Pod> =>
  watchStore(client, pods, { transform: reduced, log });
