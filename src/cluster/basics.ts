/** What every cluster holds before the first user comes: images in its registry, access rules, cluster DNS. */
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { deployments, nodes, pods } from '../api/resources.ts';
import { until } from '../host/wait.ts';
import { applyManifests, parseManifests } from '../kube/apply.ts';
import type { KubeClient } from '../kube/client.ts';
import { COREDNS_REPOSITORY, corednsImage, corednsManifests } from './coredns.ts';
import { type Entry, type Run, writeImage } from './image.ts';
import { PAUSE_IMAGE } from './node.ts';
import { NODE_NAME, places } from './plan.ts';
import { pushImage } from './push.ts';

/** What the API server may do on kubelets: logs, exec and the like for users who may. */
const ACCESS = `apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: cloister:kubelet-client}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: system:kubelet-api-admin}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: cloister:kubelet-client}]
`;

/** Where Debian's catatonit is: a small init that, with -P, waits for ever and reaps. */
const CATATONIT = '/usr/bin/catatonit';

/**
 * Builds an image and pushes it. @param registry base URL of the registry as seen from here
 * @param reference `NAME:TAG` without the registry
 */
export const publishImage = async (
  state: string,
  registry: string,
  reference: string,
  image: { readonly entries: readonly Entry[]; readonly run: Run },
): Promise<void> => {
  const scratch = mkdtempSync(join(places(state).images, 'image-'));
  try {
    await writeImage(scratch, image.entries, image.run);
    await pushImage(registry, scratch, reference);
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
};

const withoutRegistry = (reference: string): string => reference.slice(reference.indexOf('/') + 1);

/** Pushes the images that the cluster itself needs, unless the registry holds them. */
export const publishBasics = async (
  state: string,
  registry: string,
  components: string,
  corednsVersion: string,
): Promise<void> => {
  const repositories = join(places(state).registry, 'docker/registry/v2/repositories');
  const held = (reference: string): boolean => {
    const [name, tag] = reference.split(':') as [string, string];
    return existsSync(join(repositories, name, '_manifests/tags', tag, 'current/link'));
  };
  const pause: Entry = { type: 'copy', path: '/pause', from: CATATONIT };
  const images = {
    [withoutRegistry(PAUSE_IMAGE)]: { entries: [pause], run: { Entrypoint: ['/pause', '-P'] } },
    [`${COREDNS_REPOSITORY}:${corednsVersion}`]: corednsImage(join(components, 'coredns')),
  };
  for (const [reference, image] of Object.entries(images)) {
    if (!held(reference)) await publishImage(state, registry, reference, image);
  }
};

/** Applies access rules and the cluster DNS, as they are at first; later changes by others are kept. */
export const installBasics = async (client: KubeClient, corednsVersion: string): Promise<void> => {
  await applyManifests(client, parseManifests(ACCESS), 'cloister-cluster');
  const present = await client.list(deployments, {
    namespace: 'kube-system',
    fieldSelector: 'metadata.name=coredns',
  });
  if (present.length === 0)
    await applyManifests(client, parseManifests(corednsManifests(corednsVersion)), 'cloister-cluster');
};

/** Whether a timestamp of the API server, in whole seconds, is not before a moment. */
const notBefore = (time: string | undefined, moment: Date): boolean =>
  time !== undefined && Date.parse(time) >= Math.floor(moment.getTime() / 1000) * 1000;

/** Waits until the ordinary node says that it is ready. @param since what it said before counts for nothing */
export const waitForNode = (client: KubeClient, since: Date): Promise<unknown> =>
  until(
    async () => {
      const { status } = await client.get(nodes, { name: NODE_NAME });
      return (status?.conditions ?? []).some(
        ({ type, status: value, lastHeartbeatTime }) =>
          type === 'Ready' && value === 'True' && notBefore(lastHeartbeatTime, since),
      );
    },
    { limitMs: 120_000, what: `the node ${NODE_NAME} to be ready`, everyMs: 200 },
  );

/** Waits until the cluster DNS serves. @param since containers that started before it have ended */
export const waitForDns = (client: KubeClient, since: Date): Promise<unknown> =>
  until(
    async () => {
      const all = await client.list(pods, { namespace: 'kube-system', labelSelector: 'k8s-app=kube-dns' });
      return all.some(({ status }) => {
        const [container] = status?.containerStatuses ?? [];
        return container?.ready && notBefore(container.state?.running?.startedAt, since);
      });
    },
    { limitMs: 180_000, what: 'the cluster DNS to be ready', everyMs: 200 },
  );
