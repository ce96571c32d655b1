/**
 * Answers in the place of kubelets for fake machines: a seeded machine's Node reports, its pod runs, and a
 * pod under deletion is confirmed gone. A stand-in: it starts no containers.
 */
import { readdirSync } from 'node:fs';
import { basename } from 'node:path';
import { nodes, pods } from '../../src/api/resources.ts';
import { type FakeMachine, readFakeMachine } from '../../src/compute/fake/provider.ts';
import type { Machine } from '../../src/core/machine/machine.ts';
import { nodeNameOf } from '../../src/core/machine/node.ts';
import type { Pod } from '../../src/core/pod.ts';
import { isConflict, isNotFound, type KubeClient } from '../../src/kube/client.ts';

/**
 * Looks at every machine of the directory each `everyMs` milliseconds until stopped; calls that meet an
 * object which is gone or changed meanwhile are made again in the next round.
 * @param failed called with any other error
 */
export const fakeKubelets = (
  client: KubeClient,
  directory: string,
  failed: (cause: unknown) => void,
  everyMs = 100,
): (() => Promise<void>) => {
  let stopped = false;
  const loop = async (): Promise<void> => {
    while (!stopped) {
      const names = readdirSync(directory).filter((file) => file.endsWith('.json'));
      await Promise.all(names.map((file) => answer(basename(file, '.json')).catch(forgive)));
      await new Promise((resolve) => setTimeout(resolve, everyMs));
    }
  };
  const forgive = (cause: unknown): void => {
    if (!isNotFound(cause) && !isConflict(cause)) failed(cause);
  };
  const answer = async (name: string): Promise<void> => {
    const fake = readFakeMachine(directory, name);
    if (fake?.state === 'running' && fake.seeded) await tick(fake, client);
  };
  const running = loop();
  return async () => {
    stopped = true;
    await running;
  };
};

const tick = async ({ machine }: FakeMachine, client: KubeClient): Promise<void> => {
  const { namespace, name, uid } = machine.pod;
  const pod = await client.get(pods, { namespace, name });
  if (pod.metadata.uid !== uid || pod.spec.nodeName !== nodeNameOf(machine)) return;
  if (pod.metadata.deletionTimestamp !== undefined) {
    await client.delete(pods, { namespace, name }, { uid, gracePeriodSeconds: 0 });
    return;
  }
  await reportNode(machine, client);
  if ((pod.status?.phase ?? 'Pending') !== 'Pending') return;
  const status = runningStatus(pod, machine.placement.address);
  await client.patch(pods, { namespace, name }, { status }, { type: 'strategic', subresource: 'status' });
};

const reportNode = async (machine: Machine, client: KubeClient): Promise<void> => {
  const name = nodeNameOf(machine);
  const node = await client.get(nodes, { name });
  if ((node.status?.nodeInfo?.bootID ?? '') !== '') return;
  await client.patch(nodes, { name }, reporting(machine.name), { type: 'strategic', subresource: 'status' });
};

const reporting = (bootID: string) => ({
  status: {
    nodeInfo: {
      bootID,
      machineID: '',
      systemUUID: '',
      kernelVersion: '',
      osImage: '',
      containerRuntimeVersion: '',
      kubeletVersion: '',
      kubeProxyVersion: '',
      operatingSystem: 'linux',
      architecture: 'amd64',
    },
    conditions: [{ type: 'Ready', status: 'True', reason: 'KubeletReady', message: 'fake kubelet' }],
  },
});

const runningStatus = ({ spec }: Pod, address: string) => ({
  phase: 'Running',
  podIP: address,
  hostIP: address,
  podIPs: [{ ip: address }],
  hostIPs: [{ ip: address }],
  startTime: new Date().toISOString(),
  conditions: ['PodScheduled', 'Initialized', 'ContainersReady', 'Ready'].map((type) => ({
    type,
    status: 'True',
  })),
  containerStatuses: spec.containers.map(({ name, image = '' }) => ({
    name,
    image,
    imageID: image,
    ready: true,
    started: true,
    restartCount: 0,
    state: { running: { startedAt: new Date().toISOString() } },
  })),
});
