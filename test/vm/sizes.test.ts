/**
 * What a container can see and use is what its pod was provisioned: the annotation, the guest's hardware and the
 * cgroups agree (spec/fargate.md §4.3, §8), and whoever asks for more is stopped inside its own guest.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Node } from '../../src/api/resources.ts';
import type { Pod } from '../../src/core/pod.ts';
import { apply, kubectl, kubectlUntil, read } from '../support/kubectl.ts';
import {
  BUSYBOX,
  fargateNamespace,
  inPod,
  readyNamespace,
  readyPod,
  removeFargateNamespace,
  shellPod,
} from '../support/machines.ts';

const NS = 'vm-sizes';
/** Its profile lets a container look at the cgroups of its whole guest. */
const OPEN = 'vm-sizes-open';

/** Memory that the node's own processes take of every machine, in MiB (§4.2 step 4). */
const NODE_MIB = 256;

/** What a kernel takes before anything runs, in MiB, whatever its size; what grows with the size comes on top of it. */
const KERNEL_MIB = 64;

interface Step {
  readonly name: string;
  readonly requests: { readonly cpu: string; readonly memory: string };
  readonly annotation: string;
  readonly milliCpu: number;
  readonly memoryMiB: number;
}

/** The smallest step, a fraction of a processor, and one of several; the other 72 are arithmetic (`src/core/sizing`). */
const STEPS: readonly Step[] = [
  {
    name: 'quarter',
    requests: { cpu: '250m', memory: '256Mi' },
    annotation: '0.25vCPU 0.5GB',
    milliCpu: 250,
    memoryMiB: 512,
  },
  {
    name: 'two',
    requests: { cpu: '2', memory: '3840Mi' },
    annotation: '2vCPU 4GB',
    milliCpu: 2000,
    memoryMiB: 4096,
  },
];

const allocatableMiB = ({ memoryMiB }: Step): number => memoryMiB - NODE_MIB;

/** A pod that sees the guest's own file system under /proc/1/root. */
const seeing = ({ name, requests }: Step): object => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { namespace: OPEN, name },
  spec: {
    hostPID: true,
    terminationGracePeriodSeconds: 1,
    containers: [
      {
        name: 'main',
        image: BUSYBOX,
        command: ['sleep', 'infinity'],
        securityContext: { privileged: true },
        resources: { requests, limits: requests },
      },
    ],
  },
});

/** Without a limit of its own: what holds it is the size alone. */
const burner = shellPod(NS, 'burner', 'while :; do :; done', { cpu: '250m', memory: '128Mi' });

/** dd fills its whole buffer before it writes: more than the 256 MiB that such a pod has. */
const eater = {
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { namespace: NS, name: 'eater' },
  spec: {
    restartPolicy: 'Never',
    containers: [
      { name: 'main', image: BUSYBOX, command: ['dd', 'if=/dev/zero', 'of=/dev/null', 'bs=400M', 'count=1'] },
    ],
  },
};

beforeAll(async () => {
  await apply(...fargateNamespace(NS), ...fargateNamespace(OPEN));
  await kubectl([
    'patch',
    'fargateprofile',
    OPEN,
    '--type=merge',
    '-p',
    JSON.stringify({ spec: { policy: { privileged: true, hostNamespaces: true } } }),
  ]);
  for (const namespace of [NS, OPEN]) {
    await readyNamespace(namespace);
  }
  await apply(...STEPS.map(seeing));
}, 60_000);

afterAll(async () => {
  await removeFargateNamespace(NS);
  await removeFargateNamespace(OPEN);
}, 400_000);

describe.each(STEPS)('a pod of $annotation', (step) => {
  const { name, milliCpu, memoryMiB } = step;
  const inside = (script: string): Promise<string> => inPod(OPEN, name, script);
  const guestCgroup = (file: string): Promise<string> =>
    inside(`cat /proc/1/root/sys/fs/cgroup/kubepods/${file}`);
  let pod: Pod;

  beforeAll(async () => {
    pod = await readyPod(OPEN, name);
  }, 400_000);
  afterAll(() => kubectl(['delete', 'pod', '-n', OPEN, name, '--wait=false']));

  it('has that annotation', () => {
    expect(pod.metadata.annotations?.['CapacityProvisioned']).toBe(step.annotation);
  });

  it('has the rlimits of the original', async () => {
    expect(await inside('ulimit -Sn; ulimit -Hn; ulimit -Su; ulimit -Hu')).toBe('1024\n65535\n1024\n65535');
  });

  it('sees as many processors as its vCPUs rounded up', async () => {
    expect(await inside('nproc')).toBe(String(Math.ceil(milliCpu / 1000)));
  });

  it('sees the memory that was provisioned, less what the kernel keeps', async () => {
    const totalMiB = Number(await inside("awk '/^MemTotal:/ { print $2 }' /proc/meminfo")) / 1024;
    expect(totalMiB).toBeLessThanOrEqual(memoryMiB);
    expect(totalMiB).toBeGreaterThanOrEqual(memoryMiB - KERNEL_MIB);
  });

  it('has all memory that it was promised at hand, the node running beside it', async () => {
    const meminfo = await inside("awk '/^MemAvailable:/ { print $2 }' /proc/meminfo");
    const own = await guestCgroup('memory.current');
    const overhead = memoryMiB - Number(meminfo) / 1024 - Number(own) / 2 ** 20;
    console.log(`${step.annotation}: ${overhead.toFixed(0)} MiB for kernel and node services`);
    expect(overhead).toBeLessThanOrEqual(NODE_MIB);
  });

  it('is limited by cgroups to what its Node says is allocatable', async () => {
    const { status } = await read<Node>('node', pod.spec.nodeName ?? '');
    expect(status?.allocatable?.['memory']).toMatch(
      new RegExp(`^(${allocatableMiB(step)}Mi|${allocatableMiB(step) * 1024}Ki)$`),
    );
    expect(Number(await guestCgroup('memory.max'))).toBe(allocatableMiB(step) * 1024 * 1024);
    const whole = milliCpu % 1000 === 0;
    expect(await guestCgroup('cpu.max')).toBe(`${whole ? 'max' : milliCpu * 100} 100000`);
  });

  it('is limited itself to its own limits', async () => {
    // A privileged container sees the whole hierarchy of its guest, not only its own part.
    const own = (file: string): Promise<string> =>
      inside(`cat /sys/fs/cgroup$(cut -d: -f3 /proc/self/cgroup)/${file}`);
    expect(Number(await own('memory.max'))).toBe(allocatableMiB(step) * 1024 * 1024);
    expect(await own('cpu.max')).toBe(`${milliCpu * 100} 100000`);
  });
});

/** Microseconds of CPU that the container has used, and seconds since the guest started. */
const usage = async (name: string): Promise<{ micros: number; seconds: number }> => {
  const text = await inPod(
    NS,
    name,
    "awk '/^usage_usec/ { print $2 }' /sys/fs/cgroup/cpu.stat; cut -d' ' -f1 /proc/uptime",
  );
  const [micros = Number.NaN, seconds = Number.NaN] = text.split('\n').map(Number);
  return { micros, seconds };
};

/** Share of one processor that a container used over a while, by the guest's own clock. */
const share = async (name: string, seconds: number): Promise<number> => {
  const before = await usage(name);
  await inPod(NS, name, `sleep ${seconds}`);
  const after = await usage(name);
  return (after.micros - before.micros) / 1e6 / (after.seconds - before.seconds);
};

describe('a pod that wants more than its size', () => {
  beforeAll(async () => {
    await apply(burner, eater);
    await readyPod(NS, 'burner');
  }, 400_000);

  it('is killed for memory beyond it, inside its own guest and nowhere else', async () => {
    await kubectlUntil(
      ['get', 'pod', '-n', NS, 'eater', '-o', 'jsonpath={.status.phase}'],
      (phase) => phase === 'Failed',
      'the eater to be killed',
    );
    const killed = await read<Pod>('pod', '-n', NS, 'eater');
    expect(killed.status?.containerStatuses?.[0]?.state?.terminated).toMatchObject({ exitCode: 137 });
    expect(killed.status?.reason).toBeUndefined(); // its machine lives on, its kubelet has told
    const other = await read<Pod>('pod', '-n', NS, 'burner');
    expect(other.status?.containerStatuses).toMatchObject([{ ready: true, restartCount: 0 }]);
    for (const { spec } of [killed, other]) {
      const { status } = await read<Node>('node', spec.nodeName ?? '');
      expect(status?.conditions?.find(({ type }) => type === 'Ready')?.status).toBe('True');
    }
    expect(await inPod(NS, 'burner', 'echo alive')).toBe('alive');
  }, 400_000);

  it('is held at its vCPU fraction', async () => {
    const used = await share('burner', 10);
    expect(used).toBeLessThanOrEqual(0.25 * 1.1);
    expect(used).toBeGreaterThan(0.1); // a guest under emulation on a busy host gets less than it may
  });
});
