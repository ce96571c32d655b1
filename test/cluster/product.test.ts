/** Admission, scheduler and lifecycle together on a real API server; guests are stand-ins. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  clusterRoles,
  events,
  fargateProfiles,
  microVMs,
  nodes,
  pods,
  subnets,
} from '../../src/api/resources.ts';
import { readFakeMachine, writeFakeMachine } from '../../src/compute/fake/provider.ts';
import { machineFor, microVMOf } from '../../src/core/machine/microvm.ts';
import {
  COMPUTE_TYPE,
  COMPUTE_TYPE_FARGATE,
  MICROVM_ANNOTATION,
  PROFILE_LABEL,
  SCHEDULER,
} from '../../src/core/names.ts';
import { nodeName } from '../../src/core/net/names.ts';
import type { Pod } from '../../src/core/pod.ts';
import { until } from '../../src/host/wait.ts';
import { isNotFound, orNothing } from '../../src/kube/client.ts';
import {
  census,
  ensureFargate,
  podIn,
  settledMachine,
  startProduct,
  type TestProduct,
  untilPhase,
} from '../support/product.ts';

const NS = 'apps';
let product: TestProduct;

beforeAll(async () => {
  product = await startProduct({ capacity: { memoryMiB: 4096, milliCpu: 100_000 } });
  await ensureFargate(product.client, NS);
}, 120_000);

afterAll(() => product?.stop(), 60_000);

const gone = (uid: string, what: 'pod and machine' | 'machine' = 'pod and machine') =>
  until(
    async () => {
      const { pods: all, ...rest } = await census(product);
      const left = [...rest.microVMs, ...rest.machines, ...rest.nodes];
      return ![...left, ...(what === 'machine' ? [] : all)].some((one) => one.endsWith(uid));
    },
    { limitMs: 30_000, what: `${what} of ${uid} to be gone` },
  );

const remove = async (name: string): Promise<void> => {
  const { uid = '' } = (await product.client.get(pods, { namespace: NS, name })).metadata;
  await product.client.delete(pods, { namespace: NS, name });
  await gone(uid);
};

const condition = (name: string) =>
  until(
    async () => {
      const { status } = await product.client.get(pods, { namespace: NS, name });
      return status?.conditions?.find(
        ({ type, status: value }) => type === 'PodScheduled' && value === 'False',
      );
    },
    { limitMs: 30_000, what: `a reason on pod ${name}` },
  );

describe('a pod', () => {
  it('is changed in the four fields of the original, and in nothing else', async () => {
    const { client } = product;
    const stored = await client.create(pods, podIn(NS, 'plain'));
    expect(stored.metadata.labels).toEqual({ 'eks.amazonaws.com/fargate-profile': NS });
    expect(stored.spec.schedulerName).toBe('fargate-scheduler');
    expect(stored.spec.priorityClassName).toBe('system-node-critical');
    expect(stored.spec.priority).toBe(2_000_001_000);
    expect(stored.metadata.annotations).toBeUndefined();
    expect(stored.spec.nodeSelector).toBeUndefined();
    expect(stored.spec.volumes).toBeUndefined();
  });

  it('runs on a node of its own, with the annotation of the original', async () => {
    const pod = await untilPhase(product.client, NS, 'plain', 'Running');
    const name = pod.spec.nodeName ?? '';
    expect(name).toBe(`fargate-ip-${pod.status?.podIP?.replaceAll('.', '-')}.local-1.compute.internal`);
    expect(pod.metadata.annotations?.CapacityProvisioned).toBe('0.25vCPU 0.5GB');
    const node = await product.client.get(nodes, { name });
    expect(node.metadata.labels?.['eks.amazonaws.com/compute-type']).toBe('fargate');
    expect(node.spec?.taints).toContainEqual({
      key: 'eks.amazonaws.com/compute-type',
      value: 'fargate',
      effect: 'NoSchedule',
    });
    const { items } = { items: await product.client.list(events, { namespace: NS }) };
    expect(items.find(({ reason }) => reason === 'Scheduled')).toMatchObject({
      message: `Successfully assigned ${NS}/plain to ${name}`,
      source: { component: 'fargate-scheduler' },
    });
  });

  it('has a MicroVM that tells all stages with their times', async () => {
    const { uid } = (await product.client.get(pods, { namespace: NS, name: 'plain' })).metadata;
    const vm = await until(
      async () => {
        const found = await product.client.get(microVMs, { name: `vm-${uid}` });
        return found.status?.phase === 'Running' ? found : undefined;
      },
      { limitMs: 10_000, what: 'the MicroVM to tell that it runs' },
    );
    const stages = ['Placed', 'Registered', 'Launched', 'Bound', 'Booted', 'Joined', 'Running'];
    expect(vm.status?.conditions?.map(({ type, status }) => `${type}=${status}`)).toEqual(
      stages.map((stage) => `${stage}=True`),
    );
    expect(Object.keys(vm.status?.stages ?? {}).toSorted()).toEqual(stages.toSorted());
    expect(readFakeMachine(product.machines, `vm-${uid}`)).toMatchObject({ seeded: true, capped: true });
  });

  it('takes everything with it when it is deleted', async () => {
    await remove('plain');
    const left = await census(product);
    expect(left).toEqual({ pods: [], microVMs: [], machines: [], nodes: [] });
  });
});

describe('a pod that cannot run', () => {
  it('says why, in the exact text, and runs as soon as it can', async () => {
    const { client } = product;
    await client.create(
      pods,
      podIn(NS, 'large', {
        containers: [{ name: 'main', image: 'x', resources: { requests: { memory: '3Gi' } } }],
      }),
    );
    await untilPhase(client, NS, 'large', 'Running');
    await client.create(
      pods,
      podIn(NS, 'second', {
        containers: [{ name: 'main', image: 'x', resources: { requests: { memory: '1Gi' } } }],
      }),
    );
    expect(await condition('second')).toMatchObject({
      reason: 'Unschedulable',
      message:
        'Fargate capacity is unavailable at this time. Please try again later or in a different availability zone',
    });
    await remove('large');
    await untilPhase(client, NS, 'second', 'Running');
    await remove('second');
  });

  it('comes before those that came later, also after the scheduler was killed', async () => {
    const { client } = product;
    const all = { containers: [{ name: 'main', image: 'x', resources: { requests: { memory: '3Gi' } } }] };
    for (const [name, since] of [
      ['holder', 'Running'],
      ['z-earlier', 'Pending'],
      ['a-later', 'Pending'],
    ] as const) {
      await client.create(pods, podIn(NS, name, all));
      await (since === 'Running' ? untilPhase(client, NS, name, since) : condition(name));
      await sleep(1_000); // times of creation are in seconds
    }
    await product.kill();
    await product.start();
    await remove('holder');
    await untilPhase(client, NS, 'z-earlier', 'Running');
    expect((await client.get(pods, { namespace: NS, name: 'a-later' })).status?.phase).toBe('Pending');
    for (const name of ['a-later', 'z-earlier']) await remove(name);
  }, 60_000);

  it('is told once, not at every try', async () => {
    const { client } = product;
    await client.create(
      pods,
      podIn(NS, 'privileged', {
        containers: [{ name: 'main', image: 'x', securityContext: { privileged: true } }],
      }),
    );
    expect(await condition('privileged')).toMatchObject({
      reason: 'POD_UNSUPPORTED_ON_FARGATE',
      message: 'Pod not supported on Fargate: invalid SecurityContext fields: Privileged',
    });
    const subnet = await client.get(subnets, { name: 'a' });
    for (const zone of ['local-1b', 'local-1a']) {
      await client.patch(subnets, { name: 'a' }, { spec: { ...subnet.spec, zone } }, { type: 'merge' });
    }
    await client.create(pods, podIn(NS, 'after'));
    await untilPhase(client, NS, 'after', 'Running');
    const told = (await client.list(events, { namespace: NS })).filter(
      ({ reason, involvedObject }) => reason === 'FailedScheduling' && involvedObject.name === 'privileged',
    );
    expect(told.map(({ count }) => count)).toEqual([1]);
    await client.delete(pods, { namespace: NS, name: 'privileged' });
    await remove('after');
  });
});

describe('a pod that has ended', () => {
  it('keeps its node, its address and its machine until it is deleted (spec/fargate.md §11.1)', async () => {
    const { client } = product;
    const pod = podIn(NS, 'job', { restartPolicy: 'Never' });
    // What a user writes here has no effect on the size (§2.2).
    const annotations = { CapacityProvisioned: '16vCPU 120GB' };
    await client.create(pods, { ...pod, metadata: { ...pod.metadata, annotations } });
    const { metadata, spec, status } = await untilPhase(client, NS, 'job', 'Running');
    expect(metadata.annotations?.CapacityProvisioned).toBe('0.25vCPU 0.5GB');
    const ended = { status: { phase: 'Succeeded' } };
    const key = { namespace: NS, name: 'job' };
    await client.patch(pods, key, ended, { type: 'strategic', subresource: 'status' });

    // Whoever comes later does not get what the ended pod still has.
    await client.create(pods, podIn(NS, 'later'));
    const later = await untilPhase(client, NS, 'later', 'Running');
    expect(later.status?.podIP).not.toBe(status?.podIP);
    expect(product.machineNames()).toContain(`vm-${metadata.uid}`);
    const node = await client.get(nodes, { name: spec.nodeName ?? '' });
    expect(node.metadata.deletionTimestamp).toBeUndefined();
    const vm = await client.get(microVMs, { name: `vm-${metadata.uid}` });
    expect(vm.metadata.deletionTimestamp).toBeUndefined();
    expect((await client.get(pods, key)).status?.phase).toBe('Succeeded');
    for (const name of ['later', 'job']) await remove(name);
    expect(await census(product)).toEqual({ pods: [], microVMs: [], machines: [], nodes: [] });
  }, 60_000);
});

describe('a machine that dies', () => {
  it('fails its pod with the reason', async () => {
    const { client, machines } = product;
    await client.create(pods, podIn(NS, 'doomed'));
    const pod = await untilPhase(client, NS, 'doomed', 'Running');
    const machine = await settledMachine(product, `vm-${pod.metadata.uid}`);
    writeFakeMachine(machines, { ...machine, state: 'dead', reason: 'QEMU was ended by SIGKILL' });
    const failed = await untilPhase(client, NS, 'doomed', 'Failed');
    expect(failed.status).toMatchObject({
      reason: 'MachineFailed',
      message: 'The machine of this pod has ended: QEMU was ended by SIGKILL',
    });
    await remove('doomed');
  });
});

describe('an address', { timeout: 60_000 }, () => {
  /** A pod as admission marks it, which may be away. */
  const marked = (name: string, spec: Partial<Pod['spec']> = {}): Pod => {
    const pod = podIn(NS, name, { schedulerName: SCHEDULER, ...spec });
    return { ...pod, metadata: { ...pod.metadata, labels: { [PROFILE_LABEL]: NS } } };
  };

  /** Writes a machine past the scheduler, as a write of a killed controller that comes late. */
  const placeAt = async (pod: Pod, address: string): Promise<string> => {
    const machine = machineFor(pod, {
      profile: NS,
      size: { milliCpu: 250, memoryMiB: 512, storageGiB: 20 },
      placement: { subnet: 'a', zone: 'local-1a', region: 'local-1', address },
      image: 'image',
    });
    await product.client.create(microVMs, microVMOf(machine));
    return machine.name;
  };

  const nodeAt = (address: string): string => nodeName(address, 'local-1');

  const holderOf = async (name: string): Promise<string | undefined> =>
    (await orNothing(product.client.get(nodes, { name })))?.metadata.annotations?.[MICROVM_ANNOTATION];

  it('that two pods were given is held by one, and the other is placed anew', async () => {
    const { client } = product;
    await client.create(pods, podIn(NS, 'first'));
    const first = await untilPhase(client, NS, 'first', 'Running');
    const address = first.status?.podIP ?? '';
    await product.kill();
    const second = await client.create(pods, marked('second'));
    const machine = await placeAt(second, address);
    await product.start();
    const { status } = await untilPhase(client, NS, 'second', 'Running');
    expect(status?.podIP).not.toBe(address);
    expect(readFakeMachine(product.machines, machine)?.machine.placement.address).toBe(status?.podIP);
    expect((await client.get(pods, { namespace: NS, name: 'first' })).status).toEqual(first.status);
    expect(await holderOf(nodeAt(address))).toBe(`vm-${first.metadata.uid}`);
    for (const name of ['first', 'second']) await remove(name);
  });

  it('whose Node was made by a process that was killed is free, and a pod that is not bound can leave it', async () => {
    const { client } = product;
    const name = nodeAt('10.0.9.9');
    const labels = { [COMPUTE_TYPE]: COMPUTE_TYPE_FARGATE };
    const annotations = { [MICROVM_ANNOTATION]: 'vm-gone' };
    await client.create(nodes, { apiVersion: 'v1', kind: 'Node', metadata: { name, labels, annotations } });
    const pod = await client.create(pods, marked('gated', { schedulingGates: [{ name: 'test/wait' }] }));
    const machine = await placeAt(pod, '10.0.9.9');
    await until(async () => (await holderOf(name)) === machine && product.machineNames().includes(machine), {
      limitMs: 30_000,
      what: 'the machine to have the Node and to be launched',
    });
    await client.delete(microVMs, { name: machine });
    await gone(pod.metadata.uid ?? '', 'machine');
    const key = { namespace: NS, name: 'gated' };
    await client.patch(pods, key, { spec: { schedulingGates: [] } }, { type: 'merge' });
    const { metadata } = await untilPhase(client, NS, 'gated', 'Running');
    expect(metadata.uid).toBe(pod.metadata.uid);
    await remove('gated');
  });
});

describe('our nodes', () => {
  it('take no pod from anybody else', async () => {
    const { client } = product;
    await client.create(pods, podIn(NS, 'owner'));
    const { spec } = await untilPhase(client, NS, 'owner', 'Running');
    const nodeName = spec.nodeName ?? '';
    await expect(client.create(pods, podIn('default', 'intruder', { nodeName }))).rejects.toThrow(
      /pods cannot be created on nodes/,
    );
    await remove('owner');
  });

  it('take their pod with them when they are deleted', async () => {
    const { client } = product;
    await client.create(pods, podIn(NS, 'tenant'));
    const { spec, metadata } = await untilPhase(client, NS, 'tenant', 'Running');
    await client.delete(nodes, { name: spec.nodeName ?? '' });
    await gone(metadata.uid ?? '');
    await expect(client.get(pods, { namespace: NS, name: 'tenant' })).rejects.toSatisfy(isNotFound);
  });
});

describe('the product', () => {
  it('leaves its own namespace alone, whatever the profiles say', async () => {
    const { client } = product;
    await client.create(fargateProfiles, {
      apiVersion: 'cloister.dev/v1alpha1',
      kind: 'FargateProfile',
      metadata: { name: 'all' },
      spec: { selectors: [{ namespace: '*' }] },
    });
    const stored = await client.create(pods, podIn('cloister-system', 'own'));
    expect(stored.spec.schedulerName).toBe('default-scheduler');
    await client.delete(pods, { namespace: 'cloister-system', name: 'own' });
    await client.delete(fargateProfiles, { name: 'all' });
    await until(
      async () => !(await client.list(fargateProfiles)).some(({ metadata }) => metadata.name === 'all'),
      { limitMs: 30_000, what: 'the profile to be gone' },
    );
    await until(() => client.get(fargateProfiles, { name: 'all' }).then(() => false, isNotFound), {
      limitMs: 10_000,
      what: 'the profile to be gone',
    });
  });

  it('lets those see its objects who see workloads, and administrators alone write them', async () => {
    const { client } = product;
    const verbsOf = async (role: string, resource: string): Promise<string> => {
      const { rules = [] } = await client.get(clusterRoles, { name: role });
      const verbs = rules
        .filter(({ resources }) => resources?.includes(resource))
        .flatMap((one) => one.verbs);
      return [...new Set(verbs)].toSorted().join(' ');
    };
    const [read, all] = ['get list watch', 'create delete get list patch update watch'];
    const follow = 'create delete get list patch watch';
    const expected = { view: [read, read], edit: [read, follow], admin: [all, follow] };
    for (const [role, [profiles, flows]] of Object.entries(expected)) {
      await until(
        async () =>
          (await verbsOf(role, 'fargateprofiles')) === profiles &&
          (await verbsOf(role, 'flowwatches')) === flows,
        { limitMs: 30_000, what: `the role ${role} to have these verbs and no others` },
      );
    }
    expect(await verbsOf('view', 'microvms')).toBe(read);
  });

  it('writes at most twelve times in the life of a pod, besides events (docs/adr/0003)', async () => {
    const { client, auditLog } = product;
    const before = writes(readFileSync(auditLog, 'utf8'));
    await client.create(pods, podIn(NS, 'counted'));
    await untilPhase(client, NS, 'counted', 'Running');
    await remove('counted');
    const after = writes(readFileSync(auditLog, 'utf8'));
    const during = after.slice(before.length);
    expect(during.length, during.join('\n')).toBeLessThanOrEqual(12);
    expect(during.length).toBeGreaterThanOrEqual(9); // the log really shows ours
  });
});

/** Our successful writes in an audit log, each as `verb resource/subresource`. */
const writes = (log: string): readonly string[] =>
  log
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as AuditEvent)
    .filter(
      ({ stage, user, verb, objectRef }) =>
        stage === 'ResponseComplete' &&
        user.username === 'cloister:controller' &&
        ['create', 'update', 'patch', 'delete'].includes(verb) &&
        // The Lease of admission is renewed whether there are pods or not; subnets tell of many pods together.
        !['events', 'leases', 'subnets'].includes(objectRef?.resource ?? ''),
    )
    .map(({ verb, objectRef }) => join(`${verb} ${objectRef?.resource}`, objectRef?.subresource ?? ''));

interface AuditEvent {
  readonly stage: string;
  readonly verb: string;
  readonly user: { readonly username: string };
  readonly objectRef?: { readonly resource?: string; readonly subresource?: string };
}
