/** Controllers of Kubernetes work on machines without knowing of them. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Pod } from '../../src/core/pod.ts';
import { apply, kubectl, kubectlUntil, printed, read } from '../support/kubectl.ts';
import {
  BUSYBOX,
  fargateNamespace,
  readyNamespace,
  readyPod,
  removeFargateNamespace,
  untilInPod,
  workload,
} from '../support/machines.ts';

const NS = 'vm-workloads';

const statefulSet = (greeting: string) =>
  workload(
    'StatefulSet',
    NS,
    'db',
    {
      terminationGracePeriodSeconds: 1,
      containers: [
        { name: 'main', image: BUSYBOX, command: ['sh', '-c', `echo ${greeting}; sleep infinity`] },
      ],
    },
    { serviceName: 'db' },
  );

beforeAll(async () => {
  await apply(...fargateNamespace(NS));
  await readyNamespace(NS);
  await apply(
    {
      apiVersion: 'batch/v1',
      kind: 'Job',
      metadata: { namespace: NS, name: 'sum' },
      spec: {
        template: {
          spec: {
            restartPolicy: 'Never',
            containers: [{ name: 'main', image: BUSYBOX, command: ['sh', '-c', 'echo $((6 * 7))'] }],
          },
        },
      },
    },
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { namespace: NS, name: 'db' },
      spec: { clusterIP: 'None', selector: { app: 'db' } },
    },
    statefulSet('one'),
  );
});

afterAll(() => removeFargateNamespace(NS), 300_000);

describe('a Job', () => {
  it('completes, and its pod keeps its node until it is deleted', async () => {
    await kubectl(['wait', '-n', NS, 'job/sum', '--for=condition=Complete', '--timeout=300s'], {
      limitMs: 310_000,
    });
    expect(await printed(kubectl, '-n', NS, 'job/sum')).toBe('42');
    const pods = await read<{ items: Pod[] }>('pods', '-n', NS, '-l', 'job-name=sum');
    const node = pods.items[0]?.spec.nodeName ?? '';
    expect(await kubectl(['get', 'node', node, '-o', 'name'])).toBe(`node/${node}`);
    await kubectl(['delete', 'job', '-n', NS, 'sum', '--timeout=60s']);
    await kubectlUntil(
      ['get', 'node', node, '--ignore-not-found', '-o', 'name'],
      (text) => text === '',
      'the Node of the deleted Job to go',
      60_000,
    );
  }, 400_000);
});

describe('a StatefulSet', () => {
  it('keeps its names in DNS, and a rolling update gives the pod a new machine', async () => {
    const first = await readyPod(NS, 'db-0');
    const name = `db-0.db.${NS}.svc.cluster.local`;
    const address = await untilInPod(NS, 'db-0', `nslookup ${name}`);
    expect(address).toContain(first.status?.podIP);

    await apply(statefulSet('two'));
    await kubectl(['rollout', 'status', '-n', NS, 'statefulset/db', '--timeout=300s'], { limitMs: 310_000 });
    const second = await readyPod(NS, 'db-0');
    expect(second.metadata.uid).not.toBe(first.metadata.uid);
    expect(second.spec.nodeName).not.toBe(first.spec.nodeName);
    expect(await printed(kubectl, '-n', NS, 'db-0')).toBe('two');
  }, 700_000);
});
