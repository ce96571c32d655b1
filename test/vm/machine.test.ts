/**
 * One machine of the local provider as a real node of a real API server, from nothing to nothing. A controller's
 * part (Node, binding, certificates) is done by hand here; test/vm/pod.test.ts has the whole product.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Event, Node, Pod } from 'kubernetes-types/core/v1.js';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { probeAcceleration } from '../../src/compute/local/accel.ts';
import { localProvider, NODE_SHARE_MILLI_CPU } from '../../src/compute/local/provider.ts';
import { linkName } from '../../src/compute/local/router.ts';
import { connectIn } from '../../src/compute/local/socket.ts';
import type { Provider } from '../../src/compute/provider.ts';
import type { Acceleration } from '../../src/compute/render/qemu.ts';
import { renewalFiles, seedFiles } from '../../src/compute/render/seed.ts';
import { openFirewall } from '../../src/core/firewall/open.ts';
import type { Machine, Size } from '../../src/core/machine/machine.ts';
import { nodeAllocatable, nodeNameOf } from '../../src/core/machine/node.ts';
import { buildGuestImage, type GuestImage } from '../../src/guest/image.ts';
import { exec } from '../../src/host/exec.ts';
import { namespaceExists } from '../../src/host/namespace.ts';
import { until } from '../../src/host/wait.ts';
import { printed } from '../support/kubectl.ts';
import { cacheFolder, componentsFolder } from '../support/run.ts';
import { CONTROL, type Surroundings, surroundings } from './machine-harness.ts';

const CLUSTER = 'machine-test';
const SMALL: Size = { milliCpu: 250, memoryMiB: 512, storageGiB: 20 };
const LARGE: Size = { milliCpu: 2000, memoryMiB: 4096, storageGiB: 20 };

/** Runs busybox of the guest itself: the pause image, which every guest has, holds no shell. */
const shellPod = (name: string, script: string): object => ({
  metadata: { name },
  spec: {
    automountServiceAccountToken: false,
    terminationGracePeriodSeconds: 1,
    hostPID: true,
    tolerations: [{ operator: 'Exists' }],
    volumes: [
      ...['/usr/bin', '/sys/fs/cgroup', '/proc'].map((path, index) => ({
        name: `v${index}`,
        hostPath: { path },
      })),
      { name: 'memory', emptyDir: { medium: 'Memory' } },
    ],
    containers: [
      {
        name: 'main',
        image: 'cloister.internal/pause:1',
        imagePullPolicy: 'Never',
        securityContext: { runAsUser: 0 },
        command: ['/guest/busybox', 'sh', '-c', script],
        env: [{ name: 'PATH', value: '/guest' }],
        volumeMounts: [
          { name: 'v0', mountPath: '/guest', readOnly: true },
          { name: 'v1', mountPath: '/cgroup', readOnly: true },
          { name: 'v2', mountPath: '/guest-proc' },
          { name: 'memory', mountPath: '/memory' },
        ],
      },
    ],
  },
});

const SERVE = `mkdir -p /www && echo served >/www/index.html && busybox httpd -f -p 8080 -h /www & 
echo started; while :; do busybox sleep 3600; done`;

let around: Surroundings;
let image: GuestImage;
let provider: Provider;
let machines: string;
let acceleration: Acceleration;
const cache = cacheFolder();

/** Starts a machine with a pod bound to it; resolves when the guest has its seed. */
const start = async (name: string, address: string, size: Size, script: string): Promise<Machine> => {
  const draft: Machine = {
    name: `vm-${name}`,
    pod: { namespace: 'default', name, uid: '' },
    profile: 'test',
    size,
    placement: { subnet: 'private-a', zone: 'local-1a', region: 'local-1', address },
    securityGroups: [],
    image: image.hash,
  };
  const uid = await around.bind(draft, shellPod(name, script));
  const machine = { ...draft, name: `vm-${uid}`, pod: { ...draft.pod, uid } };
  await provider.ensure(machine);
  await provider.filter(machine.name, openFirewall(address));
  await provider.feed(
    machine,
    seedFiles({
      machine,
      nodeName: nodeNameOf(machine),
      cluster: {
        server: `https://${CONTROL}:6443`,
        ca: around.ca,
        clusterDns: '10.96.0.10',
        clusterDomain: 'cluster.local',
        resolver: CONTROL,
        registries: [],
      },
      credentials: await around.credentials(machine),
    }),
  );
  return machine;
};

const podOf = (machine: Machine): Promise<Pod> => around.read<Pod>('pod', machine.pod.name);

const running = async (machine: Machine): Promise<Pod> => {
  const isRunning = async (): Promise<Pod | undefined> => {
    const pod = await podOf(machine);
    return pod.status?.phase === 'Running' ? pod : undefined;
  };
  return until(isRunning, { limitMs: 180_000, everyMs: 300, what: `pod ${machine.pod.name} to run` });
};

const inPod = (machine: Machine, script: string): Promise<string> =>
  around.kubectl(['exec', machine.pod.name, '--', '/guest/busybox', 'sh', '-c', script]);

const pidOf = (machine: Machine): number =>
  Number(readFileSync(join(machines, machine.name, 'pid'), 'utf8').split(' ')[0]);

beforeAll(async () => {
  image = await buildGuestImage({ binaries: componentsFolder(), cache, onProgress: () => {} });
  acceleration = (await probeAcceleration(image, cache)).acceleration;
  around = await surroundings(CLUSTER);
  machines = join(around.folder, 'machines');
  provider = localProvider({
    cluster: CLUSTER,
    directory: machines,
    image,
    router: around.router,
    acceleration,
  });
}, 300_000);

afterAll(async () => {
  for (const name of (await provider?.list()) ?? []) await provider.remove(name);
  await around?.end();
}, 120_000);

/** A test's limit in milliseconds: emulated guests are slow on a host that has more to do. */
const LIMIT = 180_000;

describe('a machine of 0.25 vCPU and 0.5 GB', { timeout: LIMIT }, () => {
  let machine: Machine;
  let pod: Pod;

  beforeAll(async () => {
    const begun = performance.now();
    machine = await start('small', '10.42.64.7', SMALL, SERVE);
    const seeded = performance.now();
    pod = await running(machine);
    const seconds = (from: number, to: number): string => ((to - from) / 1000).toFixed(1);
    console.log(
      `seeded after ${seconds(begun, seeded)} s, Running after ${seconds(begun, performance.now())} s`,
    );
  }, 300_000);

  test('is a node whose address is the pod’s', async () => {
    expect(pod.status?.podIP).toBe('10.42.64.7');
    expect(pod.status?.hostIP).toBe('10.42.64.7');
    expect(await provider.inspect(machine.name)).toMatchObject({ state: 'running', seeded: true });
  });

  test('computes the allocatable that its Node was made with', async () => {
    const ready = async (): Promise<Node | undefined> => {
      const node = await around.read<Node>('node', nodeNameOf(machine));
      return node.status?.nodeInfo?.kubeletVersion ? node : undefined;
    };
    const node = await until(ready, { limitMs: 60_000, what: 'the kubelet to report' });
    expect(node.status?.capacity?.memory, 'reported by the kubelet').not.toBe('512Mi');
    expect(node.status?.allocatable).toEqual(nodeAllocatable(SMALL));
  });

  test('answers exec and logs, and limits open files and processes', async () => {
    expect(await printed(around.kubectl, 'small')).toBe('started');
    const limits = await inPod(machine, 'cat /proc/self/limits');
    expect(limits).toMatch(/Max processes +1024 +65535/);
    expect(limits).toMatch(/Max open files +1024 +65535/);
  });

  test('takes at most 256 MiB for kernel and node services', async () => {
    const meminfo = await inPod(machine, 'cat /guest-proc/meminfo');
    const available = Number(/MemAvailable: +(\d+)/.exec(meminfo)?.[1]) / 1024;
    const pod = Number(await inPod(machine, 'cat /cgroup/kubepods/memory.current')) / 2 ** 20;
    const overhead = SMALL.memoryMiB - available - pod;
    console.log(`guest memory: ${overhead.toFixed(0)} MiB overhead, ${pod.toFixed(0)} MiB pod`);
    expect(overhead).toBeLessThanOrEqual(256);
  });

  test('gives the pod all the memory it was promised, and the node goes on answering', async () => {
    // 236 of the 256 MiB that are allocatable; the rest holds the shells and what the kernel counts to the pod.
    await inPod(machine, 'busybox dd if=/dev/zero of=/memory/full bs=1M count=236 2>&1');
    const begun = performance.now();
    expect(await inPod(machine, 'busybox ls /memory')).toBe('full\n');
    console.log(`exec into a pod with full memory took ${((performance.now() - begun) / 1000).toFixed(1)} s`);
    await inPod(machine, 'busybox rm /memory/full');
  });

  test('keeps the pod within its memory, and within its CPU once capped', async () => {
    const uidOf = 'cat /cgroup/kubepods/memory.max /cgroup/kubepods/cpu.max';
    expect(await inPod(machine, uidOf)).toBe(`${256 * 1024 * 1024}\nmax 100000\n`);
    await provider.cap(machine);
    expect(await inPod(machine, uidOf)).toBe(`${256 * 1024 * 1024}\n25000 100000\n`);
    expect(await hostQuota(machine)).toBe((SMALL.milliCpu + NODE_SHARE_MILLI_CPU[acceleration]) * 100);
  });

  test('re-admits the running pod when the kubelet restarts', async () => {
    const restarts = async (): Promise<number> =>
      readFileSync(join(machines, machine.name, 'log/console'), 'utf8').split('kubelet ended').length - 1;
    const before = (await podOf(machine)).status?.containerStatuses?.[0];
    const earlier = await restarts();
    await inPod(machine, 'busybox killall kubelet').catch(() => {}); // it takes the exec down with it
    await until(async () => (await restarts()) > earlier, { limitMs: 30_000, what: 'the kubelet to end' });
    await until(async () => (await inPod(machine, 'echo back')) === 'back\n', {
      limitMs: 90_000,
      everyMs: 500,
      what: 'the restarted kubelet to answer',
    });
    const pod = await podOf(machine);
    expect(pod.status?.phase).toBe('Running');
    expect(pod.status?.containerStatuses?.[0]).toMatchObject({
      restartCount: 0,
      containerID: before?.containerID,
    });
    expect(await inPod(machine, 'cat /cgroup/kubepods/cpu.max')).toBe('25000 100000\n');
  });

  test('serves on its address, and not beyond its own traffic', async () => {
    expect(await around.run('curl', ['-sS', '--max-time', '10', 'http://10.42.64.7:8080/'])).toBe('served\n');
    expect(await inPod(machine, 'busybox timeout 3 wget -O - http://169.254.169.254/ 2>&1; echo $?')).toMatch(
      /\n(1|143)\n$/, // no route, or no answer until the time is up
    );
    // The kubelet answers from outside, and is out of the pod's own reach.
    await around.run('curl', ['-sSk', '--max-time', '10', 'https://10.42.64.7:10250/healthz']);
    // At its own address, at the node's, and at that of the pod's gateway, which is the node, too.
    for (const own of ['10.42.64.7', '169.254.100.1', '169.254.100.2'])
      expect(await inPod(machine, `busybox nc -w 3 ${own} 10250 </dev/null; echo $?`), own).toBe('1\n');
  });

  test('runs QEMU as a user of its own without privileges', async () => {
    const status = readFileSync(`/proc/${pidOf(machine)}/status`, 'utf8');
    expect(status).toMatch(/^Uid:\t(?!0\b)\d+/m);
    expect(status).toMatch(/^CapEff:\t0+$/m);
    expect(status).toMatch(/^NoNewPrivs:\t1$/m);
    expect(status).toMatch(/^Seccomp:\t2$/m);
  });

  test('serves a renewed certificate without a restart', async () => {
    const serial = async (): Promise<string> => {
      const shown = await around.run('sh', [
        '-c',
        'openssl s_client -connect 10.42.64.7:10250 </dev/null 2>/dev/null | openssl x509 -noout -serial',
      ]);
      return shown.trim();
    };
    const before = await serial();
    await provider.feed(machine, renewalFiles(await around.credentials(machine)));
    await until(async () => (await serial()) !== before, {
      limitMs: 60_000,
      everyMs: 500,
      what: 'the kubelet to serve the renewed certificate',
    });
    expect(await inPod(machine, 'echo still')).toBe('still\n');
  });

  test('finds the next seed after a sender went in the middle of one', async () => {
    const socket = await connectIn(join(machines, machine.name), 'seed.sock');
    socket.write(`SEED 5000 ${'0'.repeat(64)}\nnot as much as was announced`);
    socket.end();
    await provider.feed(machine, { files: { '/etc/cloister/note': { content: 'here\n', mode: 0o644 } } });
    expect(readFileSync(join(machines, machine.name, 'log/console'), 'utf8')).toContain('seed refused');
  });

  test('is left alone by a second ensure', async () => {
    const pid = pidOf(machine);
    await provider.ensure(machine);
    expect(pidOf(machine)).toBe(pid);
  });

  test('takes no other pod than its own', async () => {
    await around.kubectl(['delete', 'pod', 'small', '--grace-period=1', '--wait=true']);
    const stranger = { ...machine, pod: { ...machine.pod, name: 'stranger' } };
    await around.kubectl(['create', '-f', '-'], {
      apiVersion: 'v1',
      kind: 'Pod',
      ...mergeNode(shellPod('stranger', SERVE), nodeNameOf(stranger)),
    });
    const refused = async (): Promise<boolean> => {
      const { items } = await around.read<{ items: Event[] }>('events');
      return items.some(({ message }) => message?.includes('this machine exists for the pod with UID'));
    };
    await until(refused, { limitMs: 90_000, everyMs: 500, what: 'the CNI plugin to refuse the stranger' });
    expect((await podOf(stranger)).status?.phase).toBe('Pending');
  });

  test('killed, is dead with the true reason, and is removed without a trace', async () => {
    const changed: string[] = [];
    const stop = provider.watch((name) => changed.push(name));
    process.kill(pidOf(machine), 'SIGKILL');
    await until(() => changed.includes(machine.name), { limitMs: 10_000, what: 'the death to be noticed' });
    stop();
    expect(await provider.inspect(machine.name)).toEqual({
      state: 'dead',
      reason: 'The virtual machine was ended by SIGKILL.',
    });
    await expect(provider.feed(machine, { files: {} })).rejects.toMatchObject({ kind: 'machine-dead' });
    await provider.ensure(machine); // never starts twice
    expect(await provider.inspect(machine.name)).toMatchObject({ state: 'dead' });

    await provider.remove(machine.name);
    await provider.remove(machine.name);
    expect(await provider.inspect(machine.name)).toEqual({ state: 'absent' });
    expect(await provider.list()).toEqual([]);
    expect(existsSync(join(machines, machine.name))).toBe(false);
    expect(namespaceExists(`${CLUSTER}-${machine.name}`)).toBe(false);
    expect(readFileSync('/proc/self/mounts', 'utf8')).not.toContain(machine.name);
    expect(await exec('ip', ['-n', around.router, '-br', 'link'])).not.toContain(linkName('10.42.64.7'));
  });
});

describe('a machine of 2 vCPU and 4 GB', () => {
  test('runs its pod, and tells why its kernel died', async () => {
    const machine = await start('large', '10.42.80.9', LARGE, SERVE);
    await running(machine);
    expect((await inPod(machine, 'busybox nproc')).trim()).toBe('2');
    const crash = 'sleep 1; echo c >/guest-proc/sysrq-trigger';
    await inPod(machine, `echo 1 >/guest-proc/sys/kernel/sysrq; (${crash}) >/dev/null 2>&1 &`);
    const died = async () => {
      const now = await provider.inspect(machine.name);
      return now.state === 'dead' ? now.reason : undefined;
    };
    const reason = await until(died, { limitMs: 60_000, what: 'the machine to die' });
    expect(reason).toMatch(/^The guest's kernel panicked: .*sysrq/);
    await provider.remove(machine.name);
    expect(await provider.list()).toEqual([]);
  }, 300_000);
});

/** Microseconds per 100 ms that the host grants, in whichever version of cgroups it has. */
const hostQuota = async (machine: Machine): Promise<number> => {
  const found = await exec('find', ['/sys/fs/cgroup', '-path', `*/cloister/${CLUSTER}/${machine.name}/*`]);
  const file = found.split('\n').find((path) => /\/(cpu\.max|cpu\.cfs_quota_us)$/.test(path));
  return Number.parseInt(readFileSync(file as string, 'utf8'), 10);
};

const mergeNode = (pod: object, nodeName: string): object => {
  const { spec, ...rest } = pod as { spec: object };
  return { ...rest, spec: { ...spec, nodeName } };
};
