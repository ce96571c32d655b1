/**
 * The wall: what root of a guest can do, after a staged container escape. A profile in open mode allows a
 * privileged pod with the namespaces of its own guest, so the probes begin where an attacker would end.
 */
import 'reflect-metadata';
import { webcrypto } from 'node:crypto';
import { readdirSync, readlinkSync } from 'node:fs';
import { Pkcs10CertificateRequestGenerator } from '@peculiar/x509';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Node } from '../../src/api/resources.ts';
import { machineNamespace } from '../../src/compute/local/prepare.ts';
import type { Pod } from '../../src/core/pod.ts';
import { median } from '../../src/core/statistics.ts';
import { until } from '../../src/host/wait.ts';
import { counterAt } from '../support/filters.ts';
import { apply, kubectl, kubectlUntil, read } from '../support/kubectl.ts';
import {
  BUSYBOX,
  fargateNamespace,
  fetchedIn,
  inPod,
  machineOfPod,
  machinePid,
  metadataIn,
  readyNamespace,
  readyPod,
  removeFargateNamespace,
  shellPod,
} from '../support/machines.ts';
import { clusterOfRun } from '../support/run.ts';

const NS = 'vm-isolation';
const OPEN = 'vm-open';

/** All that a profile can allow. */
const POLICY = {
  ...{ privileged: true, capabilities: true, hostNamespaces: true, hostPorts: true, volumes: true },
  ...{ sysctls: true, topology: true },
  rlimits: { nofile: { soft: 131_072, hard: 1_048_576 }, nproc: { soft: 70_000, hard: 80_000 } },
  nodeLabels: { 'example.com/pool': 'open' },
};

const root = {
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { namespace: OPEN, name: 'root' },
  spec: {
    hostPID: true,
    hostNetwork: true,
    nodeSelector: POLICY.nodeLabels,
    securityContext: { sysctls: [{ name: 'kernel.msgmax', value: '16384' }] },
    terminationGracePeriodSeconds: 1,
    containers: [
      { name: 'main', image: BUSYBOX, command: ['sleep', 'infinity'], securityContext: { privileged: true } },
    ],
  },
};

const LISTEN = 'echo here > /tmp/index.html; httpd -f -p 8080 -h /tmp';

/** Listens on one port and is reached at another. */
const ported = {
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { namespace: OPEN, name: 'ported' },
  spec: {
    securityContext: { sysctls: [{ name: 'net.core.somaxconn', value: '1234' }] },
    terminationGracePeriodSeconds: 1,
    containers: [
      {
        ...{ name: 'main', image: BUSYBOX, command: ['sh', '-c', LISTEN] },
        ports: [{ containerPort: 8080, hostPort: 80 }],
        volumeMounts: [{ name: 'guest', mountPath: '/guest' }],
      },
    ],
    volumes: [{ name: 'guest', hostPath: { path: '/etc/cloister' } }],
  },
};

/**
 * Pairs of samples, alone and beside a burner, taken at least and at most. A sample of a shared host is off by up to a
 * fifth: while the median of the pairs shows a loss, more of them are taken. Noise evens out, a loss by the burner stays.
 */
const PAIRS = { least: 5, most: 15 };

let attacker: Pod;
let victim: Pod;
let listener: Pod;

beforeAll(async () => {
  await apply(
    ...fargateNamespace(NS),
    { apiVersion: 'v1', kind: 'Namespace', metadata: { name: OPEN } },
    {
      apiVersion: 'cloister.dev/v1alpha1',
      kind: 'FargateProfile',
      metadata: { name: OPEN },
      spec: { selectors: [{ namespace: OPEN }], policy: POLICY },
    },
  );
  for (const namespace of [NS, OPEN]) {
    await readyNamespace(namespace);
  }
  await apply(root, ported, shellPod(NS, 'victim', LISTEN));
  [attacker, listener, victim] = await Promise.all([
    readyPod(OPEN, 'root'),
    readyPod(OPEN, 'ported'),
    readyPod(NS, 'victim'),
  ]);
}, 400_000);

afterAll(async () => {
  await removeFargateNamespace(NS);
  await removeFargateNamespace(OPEN);
}, 300_000);

/** A well-formed request for a certificate of that node, as a CertificateSigningRequest carries it. */
const requestFor = async (node: string): Promise<string> => {
  const signingAlgorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;
  const keys = await webcrypto.subtle.generateKey(signingAlgorithm, true, ['sign', 'verify']);
  const subject = `O=system:nodes, CN=system:node:${node}`;
  const request = await Pkcs10CertificateRequestGenerator.create(
    { name: subject, keys, signingAlgorithm },
    webcrypto,
  );
  return Buffer.from(request.toString('pem')).toString('base64');
};

const asRoot = (script: string): Promise<string> => inPod(OPEN, 'root', script);
/** What the script printed, or `refused` when it failed. */
const attempt = (script: string): Promise<string> => asRoot(`${script} 2>/dev/null || echo refused`);

describe('in strict mode', () => {
  it('a privileged pod stays Pending with the exact text of the original', async () => {
    const pod = structuredClone(root) as { metadata: { namespace: string }; spec: object };
    pod.metadata.namespace = NS;
    await apply(pod);
    const message = await kubectlUntil(
      [
        'get',
        'pod',
        '-n',
        NS,
        'root',
        '-o',
        'jsonpath={.status.conditions[0].reason}: {.status.conditions[0].message}',
      ],
      (text) => text.includes('not supported'),
      'the pod to be refused',
      30_000,
    );
    expect(message).toBe(
      'POD_UNSUPPORTED_ON_FARGATE: Pod not supported on Fargate: fields not supported: HostNetwork, HostPID, invalid SecurityContext fields: Privileged',
    );
    await kubectl(['delete', 'pod', '-n', NS, 'root']);
  });
});

describe('in open mode', () => {
  afterAll(() => kubectl(['delete', 'pod', '-n', OPEN, 'ported', '--timeout=60s']), 70_000);

  it('limits, sysctls, labels and volumes are as the profile and the pods say', async () => {
    expect(await asRoot('ulimit -Sn; ulimit -Hn; ulimit -Su; ulimit -Hu; cat /proc/sys/kernel/msgmax')).toBe(
      '131072\n1048576\n70000\n80000\n16384',
    );
    expect(await inPod(OPEN, 'ported', 'cat /proc/sys/net/core/somaxconn; ls /guest/env')).toBe(
      '1234\n/guest/env',
    );
    const node = await read<Node>('node', attacker.spec.nodeName ?? '');
    expect(node.metadata.labels).toMatchObject(POLICY.nodeLabels);
  });

  it('a host port leads to the container, and a pod in the network of its guest is reached', async () => {
    const fetched = (at: string): Promise<string> => fetchedIn(NS, 'victim', `http://${at}/index.html`);
    expect(await fetched(`${listener.status?.podIP}:80`)).toBe('here');
    expect(await fetched(`${listener.status?.podIP}:8080`)).toBe('here');
    await asRoot('echo guest > /tmp/index.html; httpd -p 8081 -h /tmp');
    expect(attacker.status?.podIP).toBe(attacker.status?.hostIP);
    expect(await fetched(`${attacker.status?.podIP}:8081`)).toBe('guest');
    expect(await fetchedIn(OPEN, 'root', `http://${victim.status?.podIP}:8080/index.html`)).toBe('here');
  });

  it('instance metadata is as far as ever, in a network of its own and in that of the guest', async () => {
    const dropped = (pod: Pod): Promise<number> =>
      counterAt(machineNamespace(clusterOfRun().name, machineOfPod(pod)), 'metadata');
    for (const pod of [listener, attacker]) {
      const before = await dropped(pod);
      expect(await metadataIn(OPEN, pod.metadata.name ?? '')).toBe('nothing\nnothing');
      expect(await dropped(pod)).toBeGreaterThan(before);
    }
  });
});

describe('root of a guest', () => {
  it('is root of that guest: it sees the kubelet', async () => {
    expect(await asRoot('pidof kubelet > /dev/null && echo yes')).toBe('yes');
  });

  it('sees a machine with the memory of its own size and no other disk', async () => {
    const totalKiB = Number(await asRoot("awk '/MemTotal/ {print $2}' /proc/meminfo"));
    expect(totalKiB).toBeLessThan(512 * 1024);
    const disks = (await asRoot('ls /sys/block')).split('\n').filter((name) => name.startsWith('vd'));
    expect(disks).toEqual(['vda', 'vdb']);
  });

  it('cannot write the image that all machines boot from', async () => {
    expect(await attempt('dd if=/dev/zero of=/dev/vda bs=512 count=1 conv=notrunc')).toContain('refused');
  });

  it('cannot speak from an address that is not its own', async () => {
    await asRoot(`ip addr add ${victim.status?.podIP}/32 dev lo`);
    const ping = (...from: readonly string[]): Promise<string> =>
      attempt(`ping -c 1 -W 2 ${from.join(' ')} 10.42.0.2 >/dev/null && echo answered`);
    expect(await ping()).toBe('answered');
    expect(await ping('-I', victim.status?.podIP ?? '')).toBe('refused');
    await asRoot(`ip addr del ${victim.status?.podIP}/32 dev lo`);
    expect(await inPod(NS, 'victim', 'wget -qO- http://127.0.0.1:8080/index.html')).toBe('here');
  });

  it('does not reach the host', async () => {
    for (const address of ['169.254.0.1', '169.254.100.1']) {
      expect(await attempt(`timeout 3 wget -qO- http://${address}/`), address).toBe('refused');
    }
  });

  it('cannot act on other nodes and pods with the credentials of its own', async () => {
    const script = (path: string) =>
      `nsenter -t 1 -m -- sh -c 'cat /etc/kubernetes/pki/kubelet-client.pem' > /dev/null && echo ${path}`;
    expect(await attempt(script('held'))).toBe('held');
    const other = ['--as', `system:node:${attacker.spec.nodeName}`, '--as-group', 'system:nodes'];
    await expect(kubectl(['get', 'secrets', '-A', ...other])).rejects.toThrow(/forbidden/i);
    await expect(
      kubectl(['delete', 'pod', '-n', NS, 'victim', '--dry-run=server', ...other]),
    ).rejects.toThrow(/can only delete pods with spec.nodeName set to itself/);
    const ask = async (node: string): Promise<string> => {
      const request = {
        apiVersion: 'certificates.k8s.io/v1',
        kind: 'CertificateSigningRequest',
        metadata: { name: 'stolen' },
        spec: {
          request: await requestFor(node),
          signerName: 'kubernetes.io/kube-apiserver-client-kubelet',
          usages: ['digital signature', 'client auth'],
        },
      };
      return kubectl(['create', ...other, '-f', '-'], { input: JSON.stringify(request) });
    };
    await expect(ask(victim.spec.nodeName ?? '')).rejects.toThrow(/can only create a node CSR with CN=/);
    await expect(ask(attacker.spec.nodeName ?? '')).rejects.toThrow(/cannot request certificates/);
  });

  it('may restart its kubelet: the pod is admitted again, its container untouched', async () => {
    const container = attacker.status?.containerStatuses?.[0]?.containerID;
    const pid = await asRoot('pidof kubelet');
    await asRoot('kill -9 $(pidof kubelet)').catch(() => ''); // the kubelet carries this session, too
    await until(async () => !['', pid].includes(await attempt('pidof kubelet')), {
      limitMs: 120_000,
      everyMs: 1_000,
      what: 'the kubelet to be started again',
    });
    const renewed = (): Promise<string> =>
      kubectl([
        'get',
        'lease',
        '-n',
        'kube-node-lease',
        attacker.spec.nodeName ?? '',
        '-o',
        'jsonpath={.spec.renewTime}',
      ]);
    const before = await renewed();
    await until(async () => (await renewed()) !== before, {
      limitMs: 120_000,
      everyMs: 1_000,
      what: 'the kubelet to renew its lease again',
    });
    const pod = await read<Pod>('pod', '-n', OPEN, 'root');
    expect(pod.status?.phase).toBe('Running');
    expect(pod.status?.containerStatuses?.[0]).toMatchObject({ containerID: container, restartCount: 0 });
  }, 300_000);
});

describe('on the host', () => {
  it('every machine is a process of its own, in a network namespace of its own', async () => {
    const pids = await Promise.all([machinePid(attacker), machinePid(victim)]);
    const namespaces = pids.map(networkNamespace);
    expect(new Set([...namespaces, networkNamespace(process.pid)]).size).toBe(3);
  });

  it('no machine holds a file of another open', async () => {
    const name = `vm-${victim.metadata.uid}`;
    const pid = await machinePid(attacker);
    const open = readdirSync(`/proc/${pid}/fd`).map((fd) => readlinkSync(`/proc/${pid}/fd/${fd}`));
    expect(open.some((path) => path.includes(`vm-${attacker.metadata.uid}`))).toBe(true);
    expect(open.filter((path) => path.includes(name))).toEqual([]);
  });

  it('a CPU burner in one machine lowers the throughput of another by at most a tenth', async () => {
    // The clock of awk counts whole seconds: begun in the middle of one, three of them may be two.
    const program =
      'BEGIN { start = systime(); while (systime() == start); end = systime() + 3; while (systime() < end) i++; print i }';
    const loops = async (): Promise<number> => Number(await inPod(NS, 'victim', `awk '${program}'`));
    const beside = async (): Promise<number> => {
      const burner = attempt('timeout 6 sh -c "while :; do :; done"');
      const count = await loops();
      await burner;
      return count;
    };
    const ratios: number[] = [];
    while (ratios.length < PAIRS.least || (median(ratios) <= 0.9 && ratios.length < PAIRS.most)) {
      const alone = await loops();
      ratios.push((await beside()) / alone);
    }
    expect(median(ratios), `beside a burner to alone: ${JSON.stringify(ratios)}`).toBeGreaterThan(0.9);
  }, 360_000);
});

const networkNamespace = (pid: number): string => readlinkSync(`/proc/${pid}/ns/net`);
