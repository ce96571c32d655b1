/** How machines end: by accident, by kubectl, and with what reason (docs/adr/0004). */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Pod } from '../../src/core/pod.ts';
import { until } from '../../src/host/wait.ts';
import { apply, exists, kubectl, read } from '../support/kubectl.ts';
import {
  BUSYBOX,
  fargateNamespace,
  inPod,
  machineOfPod,
  machinePid,
  readyNamespace,
  readyPod,
  removeFargateNamespace,
  workload,
} from '../support/machines.ts';

const NS = 'vm-endings';

const deployment = (name: string) =>
  workload('Deployment', NS, name, {
    terminationGracePeriodSeconds: 1,
    containers: [{ name: 'main', image: BUSYBOX, command: ['sleep', 'infinity'] }],
  });

const podsOf = async (app: string): Promise<readonly Pod[]> =>
  (await read<{ items: Pod[] }>('pods', '-n', NS, '-l', `app=${app}`)).items;

/** The one ready pod of a deployment that is not one of those given. */
const freshPod = async (app: string, ...not: readonly Pod[]): Promise<Pod> => {
  const old = new Set(not.map((pod) => pod.metadata.uid));
  const name = await until(
    async () =>
      (await podsOf(app)).find(
        (pod) => !old.has(pod.metadata.uid) && pod.metadata.deletionTimestamp === undefined,
      )?.metadata.name,
    { limitMs: 60_000, everyMs: 500, what: `deployment ${app} to make a pod` },
  );
  return readyPod(NS, name);
};

let killed: Pod;
let drained: Pod;

beforeAll(async () => {
  await apply(...fargateNamespace(NS));
  await readyNamespace(NS);
  await apply(deployment('killed'), deployment('drained'));
  [killed, drained] = await Promise.all([freshPod('killed'), freshPod('drained')]);
}, 400_000);

afterAll(() => removeFargateNamespace(NS), 300_000);

describe('a virtual machine that is killed', () => {
  it('fails its pod with the true reason, and the deployment gets a new machine', async () => {
    process.kill(await machinePid(killed), 'SIGKILL');
    const failed = await until(
      async () => (await podsOf('killed')).find(({ status }) => status?.phase === 'Failed'),
      { limitMs: 60_000, everyMs: 500, what: 'the pod of the killed machine to fail' },
    );
    expect(failed.metadata.uid).toBe(killed.metadata.uid);
    expect(failed.status?.reason).toBe('MachineFailed');
    expect(failed.status?.message).toContain('SIGKILL');
    const fresh = await freshPod('killed', killed);
    expect(await inPod(NS, fresh.metadata.name ?? '', 'echo alive')).toBe('alive');
  }, 400_000);
});

describe('kubectl drain', () => {
  it('evicts the pod; its Node goes, and the deployment gets a new one', async () => {
    await kubectl(['drain', drained.spec.nodeName ?? '', '--timeout=60s'], { limitMs: 70_000 });
    await until(async () => !(await exists('node', drained.spec.nodeName ?? '')), {
      limitMs: 60_000,
      everyMs: 500,
      what: 'the drained Node to go',
    });
    const fresh = await freshPod('drained', drained);
    expect(fresh.spec.nodeName).not.toBe(drained.spec.nodeName);
    drained = fresh;
  }, 400_000);
});

describe('kubectl delete node', () => {
  it('deletes the pod with it, gracefully, and says so', async () => {
    await kubectl(['delete', 'node', drained.spec.nodeName ?? '']);
    await until(
      async () =>
        !(await exists('microvm', machineOfPod(drained))) &&
        !(await exists('pod', '-n', NS, drained.metadata.name ?? '')),
      { limitMs: 120_000, everyMs: 500, what: 'pod and machine of the deleted Node to go' },
    );
    const events = await kubectl(['get', 'events', '-n', NS, '--field-selector', 'reason=MachineLeaving']);
    expect(events).toContain('its Node was deleted');
  }, 180_000);
});
