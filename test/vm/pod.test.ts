/** A pod on a machine of its own behaves as on any node, because it is on one. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Node } from '../../src/api/resources.ts';
import type { Pod } from '../../src/core/pod.ts';
import { until } from '../../src/host/wait.ts';
import {
  apply,
  exists,
  kubectl,
  kubectlInBackground,
  kubectlUntil,
  printed,
  read,
} from '../support/kubectl.ts';
import {
  BUSYBOX,
  fargateNamespace,
  fetchedIn,
  inPod,
  machineOfPod,
  metadataIn,
  readyAccount,
  readyNamespace,
  readyPod,
  removeFargateNamespace,
  shellPod,
  workload,
} from '../support/machines.ts';

const NS = 'vm-pod';
const ORDINARY = 'vm-ordinary';

/** Everything that the sentence names, in one pod. */
const rich = workload('Deployment', NS, 'web', {
  terminationGracePeriodSeconds: 10,
  initContainers: [
    {
      name: 'first',
      image: BUSYBOX,
      command: ['sh', '-c', 'echo from-init > /shared/index.html'],
      volumeMounts: [{ name: 'shared', mountPath: '/shared' }],
    },
    {
      name: 'beside',
      image: BUSYBOX,
      restartPolicy: 'Always',
      command: ['sh', '-c', 'while :; do date > /shared/new; mv /shared/new /shared/beside; sleep 1; done'],
      volumeMounts: [{ name: 'shared', mountPath: '/shared' }],
    },
  ],
  containers: [
    {
      name: 'main',
      image: BUSYBOX,
      command: [
        'sh',
        '-c',
        'echo started; httpd -p 8080 -h /shared; read line; echo read $line; sleep infinity',
      ],
      stdin: true,
      stdinOnce: false,
      env: [
        { name: 'PASSWORD', valueFrom: { secretKeyRef: { name: 'web', key: 'password' } } },
        { name: 'POD_IP', valueFrom: { fieldRef: { fieldPath: 'status.podIP' } } },
      ],
      ports: [{ containerPort: 8080 }],
      // Asked before it serves, it would pass for dead: liveness bears with no failure.
      startupProbe: {
        httpGet: { path: '/index.html', port: 8080 },
        periodSeconds: 1,
        failureThreshold: 120,
      },
      readinessProbe: { httpGet: { path: '/index.html', port: 8080 }, periodSeconds: 2 },
      livenessProbe: {
        exec: { command: ['wget', '-qO', '/dev/null', 'http://127.0.0.1:8080/index.html'] },
        periodSeconds: 5,
        timeoutSeconds: 20,
        failureThreshold: 1,
      },
      resources: { requests: { cpu: '250m', memory: '256Mi' } },
      volumeMounts: [
        { name: 'shared', mountPath: '/shared' },
        { name: 'config', mountPath: '/config' },
        { name: 'token', mountPath: '/token' },
      ],
    },
  ],
  volumes: [
    { name: 'shared', emptyDir: {} },
    { name: 'config', configMap: { name: 'web' } },
    {
      name: 'token',
      projected: { sources: [{ serviceAccountToken: { path: 'token', audience: 'test' } }] },
    },
  ],
});

let web: Pod;
let other: Pod;

beforeAll(async () => {
  await apply(
    ...fargateNamespace(NS),
    { apiVersion: 'v1', kind: 'Namespace', metadata: { name: ORDINARY } },
    {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { namespace: NS, name: 'web' },
      stringData: { password: 'secret' },
    },
    {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { namespace: NS, name: 'web' },
      data: { greeting: 'hello' },
    },
  );
  await readyNamespace(NS);
  await readyAccount(ORDINARY);
  await apply(
    rich,
    shellPod(NS, 'other', 'echo other > /tmp/index.html; httpd -f -p 8080 -h /tmp'),
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { namespace: NS, name: 'web' },
      spec: { selector: { app: 'web' }, ports: [{ port: 80, targetPort: 8080 }] },
    },
    shellPod(ORDINARY, 'plain', 'echo plain > /tmp/index.html; httpd -f -p 8080 -h /tmp'),
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { namespace: ORDINARY, name: 'plain' },
      spec: { selector: { app: 'plain' }, ports: [{ port: 80, targetPort: 8080 }] },
    },
  );
  const name = await kubectlUntil(
    ['get', 'pods', '-n', NS, '-l', 'app=web', '-o', 'jsonpath={.items[0].metadata.name}'],
    (text) => text !== '',
    'the pod of deployment web',
  );
  web = await readyPod(NS, name);
  other = await readyPod(NS, 'other');
  await readyPod(ORDINARY, 'plain');
}, 400_000);

afterAll(async () => {
  await removeFargateNamespace(NS);
  await kubectl(['delete', 'namespace', ORDINARY, '--ignore-not-found', '--timeout=60s'], {
    limitMs: 70_000,
  });
}, 300_000);

const nodeOfPod = (pod: Pod): Promise<Node> => read<Node>('node', pod.spec.nodeName ?? '');
const podName = (): string => web.metadata.name ?? '';

describe('the node', () => {
  it('is one per pod, named by the address that pod and node share', async () => {
    for (const pod of [web, other]) {
      const node = await nodeOfPod(pod);
      const address = pod.status?.podIP ?? '';
      expect(pod.spec.nodeName).toBe(`fargate-ip-${address.replaceAll('.', '-')}.local-1.compute.internal`);
      expect(pod.status?.hostIP).toBe(address);
      expect(node.status?.addresses?.find(({ type }) => type === 'InternalIP')?.address).toBe(address);
      expect(node.status?.capacity?.pods).toBe('1');
      expect(node.metadata.labels?.['eks.amazonaws.com/compute-type']).toBe('fargate');
    }
    expect(web.spec.nodeName).not.toBe(other.spec.nodeName);
  });

  it('has the size that the annotation tells, and its kubelet computes the allocatable that we promised', async () => {
    expect(web.metadata.annotations?.CapacityProvisioned).toBe('0.25vCPU 0.5GB');
    const { allocatable } = (await nodeOfPod(web)).status ?? {};
    expect(allocatable?.cpu).toBe('250m');
    expect(allocatable?.memory).toBe('256Mi');
  });

  it('runs the kubelet of the cluster, and is Ready', async () => {
    const node = await nodeOfPod(web);
    const server = JSON.parse(await kubectl(['version', '-o', 'json'])) as {
      serverVersion: { gitVersion: string };
    };
    expect(node.status?.nodeInfo?.kubeletVersion).toBe(server.serverVersion.gitVersion);
    expect(node.status?.conditions?.find(({ type }) => type === 'Ready')?.status).toBe('True');
  });

  it('has a kernel of its own', async () => {
    const bootIds = await Promise.all(
      [web, other].map((pod) => inPod(NS, pod.metadata.name ?? '', 'cat /proc/sys/kernel/random/boot_id')),
    );
    const host = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
    expect(new Set([...bootIds, host]).size).toBe(3);
    expect(await inPod(NS, podName(), 'uname -r')).not.toBe(
      readFileSync('/proc/sys/kernel/osrelease', 'utf8').trim(),
    );
  });
});

describe('kubectl', () => {
  it('logs', async () => {
    expect(await printed(kubectl, '-n', NS, podName(), '-c', 'main')).toContain('started');
  });

  it('exec', async () => {
    expect(await inPod(NS, podName(), 'echo $PASSWORD $POD_IP')).toBe(`secret ${web.status?.podIP}`);
  });

  it('attach', async () => {
    const attached = kubectlInBackground(['attach', '-i', '-n', NS, podName(), '-c', 'main'], 'a line\n');
    await until(
      async () => (await kubectl(['logs', '-n', NS, podName(), '-c', 'main'])).includes('read a line'),
      {
        limitMs: 30_000,
        everyMs: 500,
        what: 'the attached line to arrive',
      },
    );
    await attached.stop();
  });

  it('port-forward', async () => {
    const forward = kubectlInBackground(['port-forward', '-n', NS, `pod/${podName()}`, ':8080']);
    const port = await until(() => /127\.0\.0\.1:(\d+)/.exec(forward.output())?.[1], {
      limitMs: 30_000,
      what: 'kubectl port-forward to listen',
    });
    const answer = await fetch(`http://127.0.0.1:${port}/index.html`);
    expect((await answer.text()).trim()).toBe('from-init');
    await forward.stop();
  });

  it('cp, both ways', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'cloister-cp-'));
    try {
      writeFileSync(join(folder, 'there'), 'over and back');
      await kubectl(['cp', '-n', NS, '-c', 'main', join(folder, 'there'), `${podName()}:/tmp/there`]);
      await kubectl(['cp', '-n', NS, '-c', 'main', `${podName()}:/tmp/there`, join(folder, 'back')]);
      expect(readFileSync(join(folder, 'back'), 'utf8')).toBe('over and back');
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it('debug, with an ephemeral container', async () => {
    await kubectl([
      'debug',
      '-n',
      NS,
      podName(),
      `--image=${BUSYBOX}`,
      '--profile=baseline',
      '-c',
      'probe',
      '--',
      'sh',
      '-c',
      'wget -qO- http://127.0.0.1:8080/index.html',
    ]);
    await kubectlUntil(
      ['logs', '-n', NS, podName(), '-c', 'probe'],
      (text) => text.includes('from-init'),
      'the ephemeral container to print',
      60_000,
    );
  });

  it('debug, but not beyond what the profile allows', async () => {
    const debug = (profile: string) =>
      kubectl(['debug', '-n', NS, podName(), `--image=${BUSYBOX}`, `--profile=${profile}`, '--', 'true']);
    await expect(debug('sysadmin')).rejects.toThrow('invalid SecurityContext fields: Privileged');
    await expect(debug('general')).rejects.toThrow('Capabilities added: SYS_PTRACE');
  });
});

describe('the pod', () => {
  it('has its Secret, ConfigMap, token, init container and sidecar', async () => {
    expect(await inPod(NS, podName(), 'cat /config/greeting')).toBe('hello');
    expect((await inPod(NS, podName(), 'cat /token/token')).split('.')).toHaveLength(3);
    expect(await inPod(NS, podName(), 'cat /shared/index.html')).toBe('from-init');
    expect(await inPod(NS, podName(), 'test -s /shared/beside && echo yes')).toBe('yes');
  });

  it('has the rlimits of the original', async () => {
    expect(await inPod(NS, podName(), 'ulimit -Sn; ulimit -Hn; ulimit -Su; ulimit -Hu')).toBe(
      '1024\n65535\n1024\n65535',
    );
  });

  it('reaches ordinary pods by service name, and they reach it', async () => {
    const page = (name: string, namespace: string): string =>
      `http://${name}.${namespace}.svc.cluster.local/index.html`;
    expect(await fetchedIn(NS, podName(), page('plain', ORDINARY))).toBe('plain');
    expect(await fetchedIn(ORDINARY, 'plain', page('web', NS))).toBe('from-init');
  });

  it('reaches other machines by address', async () => {
    const url = `http://${other.status?.podIP}:8080/index.html`;
    expect(await fetchedIn(NS, podName(), url)).toBe('other');
  });

  it('cannot reach instance metadata', async () => {
    expect(await metadataIn(NS, podName())).toBe('nothing\nnothing');
  });

  it('is restarted in place when a container crashes', async () => {
    await inPod(NS, podName(), 'killall httpd').catch(() => ''); // the shell may go down with its container
    await kubectlUntil(
      [
        'get',
        'pod',
        '-n',
        NS,
        podName(),
        '-o',
        'jsonpath={.status.containerStatuses[0].restartCount} {.status.containerStatuses[0].ready} {.spec.nodeName}',
      ],
      (text) => /^[1-9]\d* true /.test(text) && text.endsWith(web.spec.nodeName ?? ''),
      'the container to be restarted on the same node',
      90_000,
    );
  });
});

describe('a pod that matches no profile', () => {
  it('is left to the default scheduler', async () => {
    const plain = await read<Pod>('pod', '-n', ORDINARY, 'plain');
    expect(plain.spec.schedulerName).toBe('default-scheduler');
    expect(plain.metadata.labels).not.toHaveProperty('eks.amazonaws.com/fargate-profile');
    expect(plain.spec.nodeName).not.toContain('fargate-');
  });
});

describe('deletion', () => {
  it('honours the grace period, and takes Node and machine with it', async () => {
    const started = performance.now();
    await kubectl(['delete', 'pod', '-n', NS, 'other', '--timeout=60s'], { limitMs: 70_000 });
    expect(performance.now() - started).toBeGreaterThan(1_500); // the shell ignores SIGTERM for its two seconds
    await until(
      async () =>
        !(await exists('microvm', machineOfPod(other))) && !(await exists('node', other.spec.nodeName ?? '')),
      { limitMs: 30_000, everyMs: 500, what: 'Node and MicroVM of the deleted pod to be gone' },
    );
  });
});
