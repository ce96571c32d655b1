/** Objects that tests of real machines begin with, and questions that they ask again and again. */
import type { Pod } from '../../src/core/pod.ts';
import { exec } from '../../src/host/exec.ts';
import { until } from '../../src/host/wait.ts';
import { kubectl, kubectlOf, kubectlUntil, read } from './kubectl.ts';

/** An image of the cluster's registry with busybox and nothing else; the set-up of the run pushes it. */
export const BUSYBOX = 'registry.cloister.internal:5000/cloister/busybox:1';

/** A namespace whose pods all run on machines of their own. */
export const fargateNamespace = (name: string): object[] => [
  { apiVersion: 'v1', kind: 'Namespace', metadata: { name } },
  {
    apiVersion: 'cloister.dev/v1alpha1',
    kind: 'FargateProfile',
    metadata: { name },
    spec: { selectors: [{ namespace: name }] },
  },
];

/**
 * Waits until a profile's selectors are live: admission decides once, so a pod that comes earlier would stay off
 * Fargate.
 */
export const readyProfile = async (name: string, { kubectlUntil: wait } = kubectlOf()): Promise<void> => {
  const state = ['fargateprofile', name, '-o', 'jsonpath={.status.status}'];
  await wait(['get', ...state], (text) => text === 'ACTIVE', `profile ${name} to be ACTIVE`, 60_000);
};

/** Waits until a namespace has its default service account: the API server refuses pods that come earlier. */
export const readyAccount = async (
  namespace: string,
  { kubectlUntil: wait } = kubectlOf(),
): Promise<void> => {
  const accounts = ['serviceaccount', '-n', namespace, '-o', 'name'];
  await wait(
    ['get', ...accounts],
    (names) => names.includes('/default'),
    `the default service account of ${namespace}`,
    60_000,
  );
};

/** Waits until pods can be created in a namespace, and go to the machines of the profile of its name. */
export const readyNamespace = async (name: string, cluster = kubectlOf()): Promise<void> => {
  await readyProfile(name, cluster);
  await readyAccount(name, cluster);
};

/** Removes a namespace and its profile, and waits until its machines are gone. */
export const removeFargateNamespace = async (name: string): Promise<void> => {
  await kubectl(['delete', 'namespace', name, '--ignore-not-found', '--timeout=180s'], { limitMs: 200_000 });
  await kubectl(['delete', 'fargateprofile', name, '--ignore-not-found']);
  await kubectlUntil(
    ['get', 'microvms', '-o', `jsonpath={.items[?(@.spec.pod.namespace=="${name}")].metadata.name}`],
    (names) => names === '',
    `the machines of namespace ${name} to be gone`,
  );
};

/** A pod of one busybox container that runs a shell script. */
export const shellPod = (namespace: string, name: string, script: string, requests = {}): object => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { namespace, name, labels: { app: name } },
  spec: {
    terminationGracePeriodSeconds: 2,
    containers: [{ name: 'main', image: BUSYBOX, command: ['sh', '-c', script], resources: { requests } }],
  },
});

/**
 * A Deployment or StatefulSet of one pod, labelled `app` with its name.
 * @param more further fields of its spec
 */
export const workload = (
  kind: 'Deployment' | 'StatefulSet',
  namespace: string,
  name: string,
  pod: object,
  more: object = {},
): object => ({
  apiVersion: 'apps/v1',
  kind,
  metadata: { namespace, name },
  spec: {
    replicas: 1,
    selector: { matchLabels: { app: name } },
    template: { metadata: { labels: { app: name } }, spec: pod },
    ...more,
  },
});

/** Waits until the pod is ready, and gives it. */
export const readyPod = async (namespace: string, name: string, limitMs = 300_000): Promise<Pod> => {
  const wait = [
    'wait',
    '-n',
    namespace,
    `pod/${name}`,
    '--for=condition=Ready',
    `--timeout=${limitMs / 1000}s`,
  ];
  await kubectl(wait, { limitMs: limitMs + 10_000 });
  return read<Pod>('pod', '-n', namespace, name);
};

/** Runs a shell command in the pod's first container. */
export const inPod = (namespace: string, pod: string, script: string): Promise<string> =>
  kubectl(['exec', '-n', namespace, pod, '--', 'sh', '-c', script]);

/**
 * Runs a shell command in the pod's first container until it succeeds, and gives what it prints. A pod is Ready before
 * its server listens, and nodes and DNS know of Services a moment after they changed; that there is no such name, DNS
 * remembers for half a minute.
 */
export const untilInPod = (namespace: string, pod: string, script: string): Promise<string> =>
  until(() => inPod(namespace, pod, script), {
    limitMs: 90_000,
    everyMs: 500,
    what: `\`${script}\` to succeed in pod ${namespace}/${pod}`,
  });

/** What a pod is answered by a URL, once it is. */
export const fetchedIn = (namespace: string, pod: string, url: string): Promise<string> =>
  untilInPod(namespace, pod, `timeout 10 wget -qO- ${url}`);

/** What a pod hears from the instance metadata at its two addresses: `nothing` from each. */
export const metadataIn = (namespace: string, pod: string): Promise<string> =>
  inPod(
    namespace,
    pod,
    `for at in 169.254.169.254 '[fd00:ec2::254]'; do
       timeout 3 wget -qO- http://$at/latest/meta-data/ 2>/dev/null || echo nothing
     done`,
  );

/** The machine's name, which names its directory, too. */
export const machineOfPod = (pod: Pod): string => `vm-${pod.metadata.uid}`;

/** The pid of the machine's QEMU process, found by the name of its directory. */
export const machinePid = async (pod: Pod): Promise<number> => {
  const pids = (await exec('pgrep', ['-f', `qemu-system.*${machineOfPod(pod)}`])).trim().split('\n');
  if (pids.length !== 1)
    throw new Error(`expected one process of ${machineOfPod(pod)}, found: ${pids.join(', ')}`);
  return Number(pids[0]);
};
