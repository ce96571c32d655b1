/** The embedded cluster as its users meet it: started, killed, started again, taken down. Real programs only. */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { publishImage } from '../../src/cluster/basics.ts';
import { type Cluster, type ClusterOptions, startCluster } from '../../src/cluster/cluster.ts';
import { namespaces, places, REGISTRY } from '../../src/cluster/plan.ts';
import { clusterStatus } from '../../src/cluster/status.ts';
import { stopCluster } from '../../src/cluster/stop.ts';
import { uplinkName } from '../../src/compute/render/router.ts';
import { exec } from '../../src/host/exec.ts';
import { until } from '../../src/host/wait.ts';
import { BUSYBOX_REFERENCE, busyboxImage } from '../../src/tool/images.ts';
import { clientIn } from '../support/balanced.ts';
import { printed } from '../support/kubectl.ts';
import { component, componentsFolder } from '../support/run.ts';

const NAME = 'cloembed';
const NODE = 'ip-10-42-0-3.local-1.compute.internal';

/** Everything on this host that a cluster could leave behind. */
const traces = async (): Promise<readonly string[]> => {
  const groups = readdirSync('/sys/fs/cgroup', { recursive: false, encoding: 'utf8' }).flatMap((hierarchy) =>
    statSync(join('/sys/fs/cgroup', hierarchy)).isDirectory()
      ? readdirSync(join('/sys/fs/cgroup', hierarchy)).map((group) => `group ${hierarchy}/${group}`)
      : [],
  );
  const commands = (await exec('ps', ['-eo', 'args', '--no-headers']))
    .split('\n')
    .map((line) => `process ${line}`);
  const mounts = readFileSync('/proc/self/mounts', 'utf8')
    .split('\n')
    .map((line) => `mount ${line}`);
  const links = (await exec('ip', ['-br', 'link'])).split('\n').map((line) => `link ${line}`);
  const tables = (await exec('nft', ['list', 'tables'])).split('\n');
  const namespaces = existsSync('/run/netns')
    ? readdirSync('/run/netns').map((name) => `namespace ${name}`)
    : [];
  const all = [...groups, ...commands, ...mounts, ...links, ...tables, ...namespaces];
  const ours = [NAME, uplinkName(`${NAME}-router`)];
  return all.filter((trace) => ours.some((name) => trace.includes(name))).sort();
};

describe('the embedded cluster', { timeout: 300_000 }, () => {
  const parent = mkdtempSync(join(tmpdir(), 'cloister-embedded-'));
  const state = join(parent, NAME);
  const options = (): ClusterOptions => ({
    name: NAME,
    state,
    components: componentsFolder(),
    kubernetesVersion: '1.36',
    nodes: true,
    egress: true,
    apiPort: 0,
  });
  let cluster: Cluster;
  let before: readonly string[];

  const kubectl = async (args: readonly string[], input?: string): Promise<string> =>
    (
      await exec(component('kubectl'), args, {
        env: { KUBECONFIG: cluster.kubeconfig },
        limitMs: 120_000,
        ...(input === undefined ? {} : { input }),
      })
    ).trim();

  const shellPod = (name: string, script: string): string =>
    JSON.stringify({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name, labels: { app: name } },
      spec: {
        terminationGracePeriodSeconds: 0,
        containers: [
          { name: 'main', image: `${REGISTRY}/${BUSYBOX_REFERENCE}`, command: ['sh', '-c', script] },
        ],
      },
    });

  const ready = (name: string): Promise<string> =>
    kubectl(['wait', '--for=condition=Ready', `pod/${name}`, '--timeout=90s']);

  beforeAll(async () => {
    before = await traces();
    cluster = await startCluster(options());
    await publishImage(state, cluster.registry, BUSYBOX_REFERENCE, await busyboxImage());
  }, 300_000);

  afterAll(async () => {
    await stopCluster({ name: NAME, state });
    rmSync(parent, { recursive: true, force: true });
  }, 60_000);

  test('has one ordinary node that is ready', async () => {
    const shown = await kubectl(['get', 'nodes', '--no-headers']);
    expect(shown.split('\n')).toHaveLength(1);
    expect(shown).toMatch(new RegExp(`^${NODE} +Ready`));
  });

  test('listens on no address of this host but 127.0.0.1', async () => {
    const { record } = clusterStatus({ name: NAME, state });
    for (const port of Object.values(record?.ports ?? {})) {
      const sockets = (await exec('ss', ['-Hltn', 'sport', '=', `:${port}`])).trim().split('\n');
      expect(sockets.map((line) => line.split(/\s+/)[3])).toEqual([`127.0.0.1:${port}`]);
    }
  });

  test('keeps keys and kubeconfigs to root alone', () => {
    const { pki, config, adminKubeconfig } = places(state);
    const files = [
      ...[pki, config].flatMap((folder) => readdirSync(folder).map((file) => join(folder, file))),
      adminKubeconfig,
    ];
    const secret = files.filter((file) => /\.(key|conf)$|kubeconfig$/.test(file));
    expect(secret.length).toBeGreaterThan(15);
    for (const file of secret) expect(statSync(file).mode & 0o777).toBe(0o600);
  });

  test('runs a pod from its registry, with logs and exec', async () => {
    await kubectl(
      ['apply', '-f', '-'],
      shellPod('web', 'echo started; mkdir /www; echo page >/www/index.html; exec httpd -f -h /www'),
    );
    await ready('web');
    expect(await printed(kubectl, 'web')).toBe('started');
    await until(async () => (await kubectl(['exec', 'web', '--', 'cat', '/proc/1/comm'])) === 'httpd', {
      limitMs: 30_000,
      everyMs: 500,
      what: 'the shell of pod web to become httpd',
    });
    expect(await kubectl(['get', 'pod', 'web', '-o', 'jsonpath={.status.podIP}'])).toMatch(/^10\.42\.1\./);
  });

  test('resolves and reaches services by name, also a pod behind its own service', async () => {
    await kubectl(['expose', 'pod', 'web', '--port=80']);
    await kubectl(['apply', '-f', '-'], shellPod('client', 'exec sleep 1000000'));
    await ready('client');
    for (const pod of ['client', 'web']) {
      const page = [
        'exec',
        pod,
        '--',
        'timeout',
        '5',
        'wget',
        '-q',
        '-O',
        '-',
        'http://web.default.svc.cluster.local',
      ];
      expect(await until(() => kubectl(page), { limitMs: 30_000, what: `${pod} to reach the service` })).toBe(
        'page',
      );
    }
  });

  test('takes images from this host alone: in its network nobody changes any', async () => {
    const at = `http://10.42.0.2:5000/v2/${BUSYBOX_REFERENCE.replace(/:.*/, '')}`;
    const ask = async (method: string, path: string): Promise<number> =>
      (await clientIn(namespaces(NAME).node).ask(`${at}${path}`, '', method)).status;
    expect(await ask('GET', '/tags/list')).toBe(200);
    expect(await ask('POST', '/blobs/uploads/')).toBe(405);
    expect(await ask('PUT', '/manifests/1')).toBe(405);
    expect(await ask('DELETE', `/manifests/sha256:${'0'.repeat(64)}`)).toBe(405);
  });

  test('resolves the registry and private names of addresses', async () => {
    const lookUp = (name: string): Promise<string> => kubectl(['exec', 'client', '--', 'nslookup', name]);
    expect(await lookUp('registry.cloister.internal')).toContain('10.42.0.2');
    expect(await lookUp('ip-10-42-64-7.local-1.compute.internal')).toContain('10.42.64.7');
    expect(await lookUp('fargate-ip-10-42-64-7.local-1.compute.internal')).toContain('10.42.64.7');
  });

  test('signs an approved certificate request', async () => {
    const key = join(parent, 'request.key');
    await exec('openssl', ['ecparam', '-genkey', '-name', 'prime256v1', '-out', key]);
    const request = await exec('openssl', [
      'req',
      '-new',
      '-key',
      key,
      '-subj',
      '/O=system:nodes/CN=system:node:some',
    ]);
    const csr = {
      apiVersion: 'certificates.k8s.io/v1',
      kind: 'CertificateSigningRequest',
      metadata: { name: 'some' },
      spec: {
        request: Buffer.from(request).toString('base64'),
        signerName: 'kubernetes.io/kube-apiserver-client-kubelet',
        usages: ['digital signature', 'client auth'],
        expirationSeconds: 3600,
      },
    };
    await kubectl(['create', '-f', '-'], JSON.stringify(csr));
    await kubectl(['certificate', 'approve', 'some']);
    const issued = await until(
      () => kubectl(['get', 'csr', 'some', '-o', 'jsonpath={.status.certificate}']),
      {
        limitMs: 20_000,
        what: 'the certificate',
      },
    );
    const text = await exec('openssl', ['x509', '-noout', '-subject', '-checkend', '4000'], {
      input: Buffer.from(issued, 'base64'),
    }).catch((cause: Error) => cause.message);
    expect(text).toContain('will expire'); // an hour, and not the year of the signer's default
  });

  test('counts writes in an audit log, and reads not', () => {
    const lines = readFileSync(places(state).auditLog, 'utf8').trim().split('\n');
    const verbs = new Set(lines.map((line) => (JSON.parse(line) as { verb: string }).verb));
    expect(verbs).toContain('create');
    for (const verb of ['get', 'list', 'watch']) expect(verbs).not.toContain(verb);
  });

  test('is left as it is by a second start', async () => {
    const { programs } = clusterStatus({ name: NAME, state });
    await startCluster(options());
    expect(clusterStatus({ name: NAME, state }).programs).toEqual(programs);
  });

  test('refuses to become another cluster while it exists', async () => {
    await expect(startCluster({ ...options(), nodes: false })).rejects.toThrow(
      /exists, with an ordinary node, and cannot become one without an ordinary node/,
    );
  });

  /** Kills every program of the cluster, and waits until none is left. */
  const killAll = async (): Promise<void> => {
    const programs = () => clusterStatus({ name: NAME, state }).programs;
    for (const { pid } of programs()) if (pid !== undefined) process.kill(pid, 'SIGKILL');
    await until(() => programs().every(({ pid }) => pid === undefined), {
      limitMs: 30_000,
      what: 'all programs to be gone',
    });
  };

  test('comes back with its objects after every process was killed', async () => {
    await killAll();
    await startCluster(options());
    await until(
      async () =>
        (await kubectl(['exec', 'client', '--', 'timeout', '5', 'wget', '-q', '-O', '-', 'http://web'])) ===
        'page',
      { limitMs: 120_000, what: 'the pods to serve again', everyMs: 500 },
    );
  });

  test('comes back after its network was lost as well, as by a reboot', async () => {
    await killAll();
    for (const namespace of clusterStatus({ name: NAME, state }).namespaces)
      await exec('ip', ['netns', 'del', namespace]);
    await startCluster(options());
    await until(
      async () =>
        (await kubectl(['exec', 'client', '--', 'timeout', '5', 'wget', '-q', '-O', '-', 'http://web'])) ===
        'page',
      { limitMs: 120_000, what: 'the pods to serve again', everyMs: 500 },
    );
  });

  test('refuses a start over what another run left', async () => {
    const elsewhere = join(parent, 'elsewhere');
    await expect(startCluster({ ...options(), state: elsewhere })).rejects.toThrow(
      /left by another run.*tool down/,
    );
    expect(existsSync(elsewhere)).toBe(false);
  });

  test('leaves nothing when it is taken down', async () => {
    await stopCluster({ name: NAME, state });
    expect(await traces()).toEqual(before);
    expect(readdirSync(parent).filter((entry) => entry.startsWith(NAME))).toEqual([]);
  });

  test('names a port that is taken, and leaves nothing half-made that a stop does not remove', async () => {
    const { createServer } = await import('node:net');
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as { port: number };
    await expect(startCluster({ ...options(), apiPort: port })).rejects.toThrow(
      `port ${port} on 127.0.0.1 is taken`,
    );
    server.close();
    await stopCluster({ name: NAME, state });
    expect(await traces()).toEqual(before);
  });
});

describe('an embedded cluster without an ordinary node', { timeout: 120_000 }, () => {
  const parent = mkdtempSync(join(tmpdir(), 'cloister-embedded-'));
  const state = join(parent, NAME);
  afterAll(async () => {
    await stopCluster({ name: NAME, state });
    rmSync(parent, { recursive: true, force: true });
  }, 60_000);

  test('starts, and its DNS waits for a node', async () => {
    const started = await startCluster({
      name: NAME,
      state,
      components: componentsFolder(),
      kubernetesVersion: '1.36',
      nodes: false,
      egress: false,
      apiPort: 0,
    });
    const kubectl = (args: readonly string[]): Promise<string> =>
      exec(component('kubectl'), args, { env: { KUBECONFIG: started.kubeconfig } });
    expect(await kubectl(['get', 'nodes', '-o', 'name'])).toBe('');
    await until(
      async () => (await kubectl(['get', 'pods', '-n', 'kube-system', '--no-headers'])).includes('Pending'),
      {
        limitMs: 30_000,
        what: 'the pending pod of the cluster DNS',
      },
    );
    const annotations = await kubectl([
      'get',
      'deployment',
      'coredns',
      '-n',
      'kube-system',
      '-o',
      'jsonpath={.spec.template.metadata.annotations}',
    ]);
    expect(JSON.parse(annotations)).toEqual({ 'eks.amazonaws.com/compute-type': 'ec2' });
  });
});
