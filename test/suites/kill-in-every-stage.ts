/**
 * The controller is killed with SIGKILL in each stage of a pod's life and started again; the pod still runs,
 * or is reclaimed, and afterwards pods, MicroVMs, machines and Nodes match one to one. The same suite runs
 * against fake and real machines.
 */
import { expect } from 'vitest';
import { certificateSigningRequests, microVMs, nodes, pods } from '../../src/api/resources.ts';
import { STAGES, type Stage } from '../../src/core/machine/life.ts';
import type { Pod } from '../../src/core/pod.ts';
import { until } from '../../src/host/wait.ts';
import { isNotFound, type KubeClient } from '../../src/kube/client.ts';

/** A running product whose controller can be killed. */
export interface ChaosTarget {
  readonly client: KubeClient;
  kill(): Promise<void>;
  start(): Promise<void>;
  /** Names of the machines of which anything exists on the host. */
  machineNames(): readonly string[] | Promise<readonly string[]>;
  /** Whether the guest has taken its seed. */
  isSeeded(machine: string): boolean;
  /** A pod to create. */
  pod(name: string): Pod;
  /** How long a start may take, in milliseconds. */
  readonly startLimitMs: number;
}

/** When to kill: as soon as this is true of the pod's machine. */
interface Moment {
  readonly stage: Stage;
  readonly has: (machine: string, pod: Pod, target: ChaosTarget) => Promise<boolean>;
}

const found = async (call: Promise<unknown>): Promise<boolean> => {
  try {
    return (await call) !== undefined;
  } catch (cause) {
    if (isNotFound(cause)) return false;
    throw cause;
  }
};

const nodeOf = async (machine: string, { client }: ChaosTarget) =>
  (await client.list(nodes)).find(
    ({ metadata }) => metadata.annotations?.['cloister.dev/microvm'] === machine,
  );

const podNow = ({ metadata }: Pod, { client }: ChaosTarget): Promise<Pod> =>
  client.get(pods, { namespace: metadata.namespace ?? '', name: metadata.name ?? '' });

const before: readonly Moment[] = [
  { stage: 'Placed', has: (machine, _pod, { client }) => found(client.get(microVMs, { name: machine })) },
  {
    stage: 'Registered',
    has: async (machine, _pod, target) => (await nodeOf(machine, target)) !== undefined,
  },
  {
    stage: 'Launched',
    has: async (machine, _pod, target) => (await target.machineNames()).includes(machine),
  },
  {
    stage: 'Bound',
    has: async (_machine, pod, target) => (await podNow(pod, target)).spec.nodeName !== undefined,
  },
  {
    stage: 'Booted',
    has: async (machine, _pod, { client }) =>
      (await client.list(certificateSigningRequests)).some(({ metadata }) =>
        metadata.name?.startsWith(machine),
      ),
  },
  { stage: 'Joined', has: async (machine, _pod, target) => target.isSeeded(machine) },
  {
    stage: 'Running',
    has: async (machine, _pod, target) =>
      ((await nodeOf(machine, target))?.status?.nodeInfo?.bootID ?? '') !== '',
  },
];

/**
 * One life per stage, two at a time: a pod still starts while the next is made and the controller killed in its stage.
 * @param round distinguishes the pods of repeated rounds
 */
export const killInEveryStage = async (target: ChaosTarget, round: number): Promise<void> => {
  const killed: Stage[] = [];
  const lives: Pod[] = [];
  for (const moment of before) {
    const name = `${moment.stage.toLowerCase()}-${round}`;
    const pod = await target.client.create(pods, target.pod(name));
    await killAt(moment, pod, target);
    killed.push(moment.stage);
    const previous = lives.at(-1);
    if (previous !== undefined) {
      await untilRunning(previous, target);
      await deletePod(previous, target);
    }
    lives.push(pod);
  }
  await killWhileReclaiming(lives.at(-1) as Pod, target);
  killed.push('Reclaimed');
  for (const pod of lives) await untilReclaimed(pod, target);
  expect(killed).toEqual(STAGES);
  await expectNothingLeft(target);
};

const machineOf = ({ metadata }: Pod): string => `vm-${metadata.uid}`;

const killAt = async ({ stage, has }: Moment, pod: Pod, target: ChaosTarget): Promise<void> => {
  await until(() => has(machineOf(pod), pod, target), {
    limitMs: target.startLimitMs,
    everyMs: 1,
    what: `the moment of ${stage} of ${pod.metadata.name}`,
  });
  await target.kill();
  await target.start();
};

const untilRunning = (pod: Pod, target: ChaosTarget): Promise<unknown> =>
  until(async () => (await podNow(pod, target)).status?.phase === 'Running', {
    limitMs: target.startLimitMs,
    everyMs: 100,
    what: `pod ${pod.metadata.name} to run after the controller was killed`,
  });

const deletePod = ({ metadata }: Pod, { client }: ChaosTarget): Promise<void> =>
  client.delete(pods, { namespace: metadata.namespace ?? '', name: metadata.name ?? '' });

/** The pod's object is gone and the machine is being taken away: killed there, the next process goes on. */
const killWhileReclaiming = async (pod: Pod, target: ChaosTarget): Promise<void> => {
  await untilRunning(pod, target);
  await deletePod(pod, target);
  await until(async () => !(await found(podNow(pod, target))), {
    limitMs: 120_000,
    everyMs: 1,
    what: `pod ${pod.metadata.name} to be gone`,
  });
  await target.kill();
  await target.start();
};

const untilReclaimed = (pod: Pod, target: ChaosTarget): Promise<unknown> =>
  until(async () => !(await found(target.client.get(microVMs, { name: machineOf(pod) }))), {
    limitMs: 120_000,
    everyMs: 100,
    what: `the machine of ${pod.metadata.name} to be reclaimed`,
  });

/** Pods, MicroVMs, machines on the host and Nodes match one to one. */
export const expectNothingLeft = async (target: ChaosTarget): Promise<void> => {
  const { client } = target;
  const ofPods = (await client.list(pods, { fieldSelector: 'spec.schedulerName=fargate-scheduler' })).map(
    machineOf,
  );
  const ofNodes = (await client.list(nodes)).map(
    ({ metadata }) => metadata.annotations?.['cloister.dev/microvm'],
  );
  expect({
    microVMs: (await client.list(microVMs)).map(({ metadata }) => metadata.name).toSorted(),
    machines: (await target.machineNames()).toSorted(),
    nodes: ofNodes.filter((owner) => owner !== undefined).toSorted(),
  }).toEqual({ microVMs: ofPods.toSorted(), machines: ofPods.toSorted(), nodes: ofPods.toSorted() });
};
