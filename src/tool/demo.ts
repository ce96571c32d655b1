/** The demonstration at the end of `./tool up`: a profile, a Deployment, and what became of it. */

import type { MicroVM } from '../api/micro-vm.ts';
import { microVMs, pods } from '../api/resources.ts';
import type { Cluster } from '../cluster/cluster.ts';
import { REGISTRY } from '../cluster/plan.ts';
import { API_VERSION, CAPACITY_ANNOTATION } from '../core/names.ts';
import type { Pod } from '../core/pod.ts';
import { exec } from '../host/exec.ts';
import { type OnProgress, step } from '../host/progress.ts';
import { until } from '../host/wait.ts';
import { applyManifests, parseManifests } from '../kube/apply.ts';
import { KubeClient } from '../kube/client.ts';
import { loadKubeconfig } from '../kube/kubeconfig.ts';
import { BUSYBOX_REFERENCE } from './images.ts';
import { duration } from './progress.ts';
import { untilLive } from './ready.ts';

/** Namespace and profile of the demonstration. */
const DEMO = 'demo';

const profile = (): string => `apiVersion: v1
kind: Namespace
metadata: {name: ${DEMO}}
---
apiVersion: ${API_VERSION}
kind: FargateProfile
metadata: {name: ${DEMO}}
spec:
  selectors: [{namespace: ${DEMO}}]
`;

const deployment = (): string => `apiVersion: apps/v1
kind: Deployment
metadata: {name: hello, namespace: ${DEMO}}
spec:
  replicas: 1
  selector: {matchLabels: {app: hello}}
  template:
    metadata: {labels: {app: hello}}
    spec:
      terminationGracePeriodSeconds: 1
      containers:
        - name: hello
          image: ${REGISTRY}/${BUSYBOX_REFERENCE}
          command: [sh, -c, 'echo "hello from $(hostname), boot $(cat /proc/sys/kernel/random/boot_id)"; exec sleep 1000000000']
          resources: {requests: {cpu: 250m, memory: 128Mi}}
`;

/** A pod that runs, with its machine. */
interface Shown {
  readonly pod: Pod;
  readonly machine: MicroVM;
  readonly log: string;
}

const findRunning = async (client: KubeClient): Promise<Omit<Shown, 'log'> | undefined> => {
  const all = await client.list(pods, { namespace: DEMO, labelSelector: 'app=hello' });
  const pod = all.find(
    ({ metadata, status }) =>
      metadata.deletionTimestamp === undefined &&
      status?.conditions?.some(({ type, status: value }) => type === 'Ready' && value === 'True'),
  );
  if (pod === undefined) return undefined;
  const machines = await client.list(microVMs);
  const machine = machines.find(({ spec }) => spec.pod.uid === pod.metadata.uid);
  return machine?.status?.stages?.Running === undefined ? undefined : { pod, machine };
};

/** The newest of what a list gives. */
const newest = <T extends { readonly metadata: { readonly creationTimestamp?: string } }>(
  all: readonly T[],
): T | undefined =>
  all
    .toSorted((a, b) =>
      (a.metadata.creationTimestamp ?? '').localeCompare(b.metadata.creationTimestamp ?? ''),
    )
    .at(-1);

/** What the newest pod waits for, from the conditions of its machine and its own. */
const waitingFor = async (client: KubeClient): Promise<string> => {
  const pod = newest(await client.list(pods, { namespace: DEMO }));
  const machine = (await client.list(microVMs)).find(({ spec }) => spec.pod.uid === pod?.metadata.uid);
  const open = machine?.status?.conditions?.find(({ status }) => status !== 'True');
  if (open !== undefined) return `${open.type}: ${open.message || open.reason}`;
  const waits = pod?.status?.conditions?.find(({ status, message }) => status !== 'True' && message);
  return waits?.message ?? (machine === undefined ? 'the pod to be scheduled' : 'the machine to start');
};

const awaitRunning = (client: KubeClient, note: (text: string) => void): Promise<Omit<Shown, 'log'>> =>
  until(
    async () => {
      const found = await findRunning(client);
      if (found === undefined) note(await waitingFor(client));
      return found;
    },
    {
      limitMs: 600_000,
      what: `the pod of deployment ${DEMO}/hello to run on a node of its own`,
      everyMs: 300,
    },
  );

/** Times from one stage to the next, in the order in which they were reached. */
export const stageTimes = (created: string, stages: Readonly<Record<string, string>>): readonly string[] => {
  const reached = Object.entries(stages).sort(([, a], [, b]) => Date.parse(a) - Date.parse(b));
  let before = Date.parse(created);
  return reached.map(([stage, time]) => {
    const took = Math.max(0, Date.parse(time) - before);
    before = Math.max(before, Date.parse(time));
    return `${stage} +${duration(took)}`;
  });
};

const describe = ({ pod, machine, log }: Shown): string => {
  const rows = {
    pod: `${DEMO}/${pod.metadata.name}`,
    node: pod.spec.nodeName ?? '',
    address: pod.status?.podIP ?? '',
    size: pod.metadata.annotations?.[CAPACITY_ANNOTATION] ?? '',
    stages: stageTimes(pod.metadata.creationTimestamp ?? '', machine.status?.stages ?? {}).join(', '),
    log,
  };
  return Object.entries(rows)
    .map(([name, value]) => `  ${name.padEnd(8)} ${value}\n`)
    .join('');
};

/**
 * Makes the demonstration unless it is there, waits until its pod runs, and describes it.
 * @param kubectl path of the built kubectl
 * @throws TimeoutError that says what is waited for
 */
export const runDemo = async (cluster: Cluster, kubectl: string, onProgress: OnProgress): Promise<string> => {
  const client = new KubeClient(loadKubeconfig(cluster.kubeconfig));
  try {
    const found = await step(onProgress, 'a pod on a node of its own', async (note) => {
      await applyManifests(client, parseManifests(profile()), 'cloister-demo');
      await untilLive(client, DEMO);
      await applyManifests(client, parseManifests(deployment()), 'cloister-demo');
      return awaitRunning(client, note);
    });
    const said = ['-n', DEMO, 'logs', found.pod.metadata.name ?? ''];
    const log = await until(() => exec(kubectl, said, { env: { KUBECONFIG: cluster.kubeconfig } }), {
      limitMs: 60_000,
      what: "the pod's first log line",
      everyMs: 300,
    });
    return describe({ ...found, log: log.trim() });
  } finally {
    await client.close();
  }
};
