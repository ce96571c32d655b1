/**
 * The whole product without machines: a real API server and controller manager, the controller as a process
 * of its own that can be killed, and the fake provider with fake kubelets. A stand-in for guests only.
 */
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { dump } from 'js-yaml';
import { Agent, fetch } from 'undici';
import {
  fargateProfiles,
  microVMs,
  namespaces,
  nodes,
  pods,
  securityGroups,
  subnets,
} from '../../src/api/resources.ts';
import { type FakeMachine, readFakeMachine } from '../../src/compute/fake/provider.ts';
import type { Capacity } from '../../src/compute/provider.ts';
import { API_VERSION } from '../../src/core/names.ts';
import type { Pod } from '../../src/core/pod.ts';
import { until } from '../../src/host/wait.ts';
import { KubeClient } from '../../src/kube/client.ts';
import type { BalancingConfig, ControllerConfig, EksConfig } from '../../src/main/config.ts';
import { installBalancing, installProduct } from '../../src/main/install.ts';
import { untilAccount, untilLive } from '../../src/tool/ready.ts';
import { end, freePorts, launch, type Program, startApiServer, type TestApiServer } from './apiserver.ts';
import { fakeKubelets } from './fake-kubelets.ts';
import { type FaultProxy, startFaultProxy } from './fault-proxy.ts';
import { component } from './run.ts';

/** The limits of an account, as an operator sets them. */
type Limits = Partial<Pick<ControllerConfig, 'maxProfiles' | 'vcpuQuota' | 'launchRate' | 'accountBlocked'>>;

/** Everything of a running test product. */
export interface TestProduct {
  readonly client: KubeClient;
  /** Path of an administrator's kubeconfig. */
  readonly kubeconfig: string;
  /** The API server's audit log: one JSON event a line. */
  readonly auditLog: string;
  /** What the controller has logged: one JSON document a line. */
  readonly controllerLog: string;
  /** Where the EKS API is, when it was asked for, and who signed its certificate. */
  readonly eks: { readonly http: string; readonly https: string; readonly ca: string };
  /** Directory of the fake provider's machines. */
  readonly machines: string;
  /** What lies between controller and API server; only with `faulty`. */
  readonly faults: FaultProxy | undefined;
  /** Kills the API server and starts it again. */
  restartApiServer(): Promise<void>;
  /** Kills the controller with SIGKILL. */
  kill(): Promise<void>;
  /** Changes the limits of the account, for the next start of the controller. */
  limit(limits: Limits): void;
  /** Starts the controller and waits until its webhook answers. */
  start(): Promise<void>;
  /** Names of the machines that exist. */
  machineNames(): readonly string[];
  stop(): Promise<void>;
}

const AUDIT_POLICY = `apiVersion: audit.k8s.io/v1
kind: Policy
rules: [{level: Metadata}]
omitStages: [RequestReceived]
`;

/** Room of the fake hosts unless a test says otherwise. */
const ROOM: Capacity = { memoryMiB: 1_000_000, milliCpu: 1_000_000 };

/**
 * @param options.capacity room of the hosts; `options.kubelets: false` lets machines start and never join;
 * `options.eks` serves the EKS API with these settings besides the usual ones; `options.limits` are the quotas;
 * `options.balancing` serves Services and Ingresses;
 * `options.faulty` lets the controller reach the API server by way of `faults` only
 */
export const startProduct = async (
  options: {
    readonly capacity?: Capacity;
    readonly kubelets?: boolean;
    readonly eks?: Partial<EksConfig>;
    readonly limits?: Limits;
    readonly balancing?: BalancingConfig;
    readonly faulty?: boolean;
  } = {},
): Promise<TestProduct> => {
  const audit = mkdtempSync(join(tmpdir(), 'cloister-audit-'));
  const auditLog = join(audit, 'log');
  writeFileSync(join(audit, 'policy'), AUDIT_POLICY);
  const [webhookPort, eksPort, eksTlsPort] = (await freePorts(3)) as [number, number, number];
  const authenticator = join(audit, 'authenticator.conf');
  writeFileSync(authenticator, authenticatorConfig(`https://127.0.0.1:${eksTlsPort}/authenticate`));
  const apiServer = await startApiServer([
    '--allow-privileged=true',
    ...(options.eks === undefined
      ? []
      : [
          `--authentication-token-webhook-config-file=${authenticator}`,
          '--authentication-token-webhook-version=v1',
        ]),
    `--audit-policy-file=${join(audit, 'policy')}`,
    `--audit-log-path=${auditLog}`,
  ]);
  const { folder, pki, config } = apiServer;
  const file = (name: string, content: string): string => {
    const path = join(folder, name);
    writeFileSync(path, content, { mode: 0o600 });
    return path;
  };
  const kubeconfig = file('admin.conf', kubeconfigOf(config, pki.admin));
  const machines = join(folder, 'machines');
  const controllerManager = await launch(component('kube-controller-manager'), folder, [
    `--kubeconfig=${kubeconfig}`,
    '--bind-address=127.0.0.1',
    '--secure-port=0',
    '--leader-elect=false',
    // It signs two certificates for each pod; its default limit of 20 requests a second would be what is measured.
    '--kube-api-qps=500',
    '--kube-api-burst=1000',
    '--use-service-account-credentials=false',
    `--service-account-private-key-file=${join(folder, 'service-accounts.key')}`,
    `--cluster-signing-cert-file=${file('signing.crt', pki.ca)}`,
    `--cluster-signing-key-file=${file('signing.key', pki.caKey)}`,
    '--controllers=*,-node-lifecycle-controller,-pod-garbage-collector-controller',
  ]);
  const faults = options.faulty ? await startFaultProxy(config.server) : undefined;
  const reached = { ...config, server: faults?.url ?? config.server };
  const configure = (limits: Limits = {}): string =>
    file(
      'controller.json',
      JSON.stringify({
        kubeconfig: file('controller.conf', kubeconfigOf(reached, pki.controller)),
        clusterName: 'test',
        region: 'local-1',
        webhook: {
          address: '127.0.0.1',
          port: webhookPort,
          certificate: file('webhook.crt', pki.server.certificate),
          key: file('webhook.key', pki.server.key),
        },
        cluster: {
          server: config.server,
          certificateAuthority: file('cluster-ca.crt', pki.ca),
          clusterDns: '10.96.0.10',
          clusterDomain: 'cluster.local',
          resolver: '10.42.0.2',
          registries: [],
        },
        provider: { kind: 'fake', directory: machines, capacity: options.capacity ?? ROOM },
        ...(options.eks === undefined
          ? {}
          : {
              eks: {
                account: '111122223333',
                http: { address: '127.0.0.1', port: eksPort },
                https: {
                  address: '127.0.0.1',
                  port: eksTlsPort,
                  certificate: file('eks.crt', pki.server.certificate),
                  key: file('eks.key', pki.server.key),
                },
                kubernetesVersion: '1.36',
                endpoint: config.server,
                serviceCidr: '10.96.0.0/16',
                issuer: 'https://kubernetes.default.svc',
                ...options.eks,
              } satisfies EksConfig,
            }),
        ...(options.balancing === undefined ? {} : { balancing: options.balancing }),
        ...limits,
        joinLimitSeconds: 60,
        logLevel: 'info',
      }),
    );
  const settings = configure(options.limits);

  const client = new KubeClient(config);
  await installProduct({ client, webhookUrl: `https://127.0.0.1:${webhookPort}`, webhookCa: pki.ca });
  if (options.balancing !== undefined) await installBalancing(client);
  let controller: Program | undefined;
  const failures: unknown[] = [];
  const product: TestProduct = {
    client,
    kubeconfig,
    auditLog,
    controllerLog: join(folder, 'node.log'),
    eks: { http: `http://127.0.0.1:${eksPort}`, https: `https://127.0.0.1:${eksTlsPort}`, ca: pki.ca },
    machines,
    faults,
    restartApiServer: async () => {
      await apiServer.crash();
      await apiServer.restart();
    },
    machineNames: () =>
      readdirSync(machines)
        .filter((file) => file.endsWith('.json')) // and no file that is being written
        .map((file) => basename(file, '.json')),
    kill: () => end(controller),
    limit: configure,
    start: async () => {
      controller = await launch(process.execPath, folder, [
        '--import',
        'tsx',
        CONTROLLER,
        '--config',
        settings,
      ]);
      await untilAnswers(webhookPort, pki.ca);
      if (options.eks !== undefined) await untilAnswers(eksTlsPort, pki.ca);
    },
    stop: async () => {
      await stopKubelets();
      await end(controller);
      await end(controllerManager);
      await client.close();
      await faults?.close();
      await apiServer.stop();
      rmSync(audit, { recursive: true });
      if (failures.length > 0) throw new AggregateError(failures, 'fake kubelets met errors');
    },
  };
  await product.start();
  const stopKubelets =
    options.kubelets === false
      ? async () => {}
      : fakeKubelets(client, machines, (cause) => failures.push(cause));
  return product;
};

const CONTROLLER = join(import.meta.dirname, '../../src/main/controller.ts');

const kubeconfigOf = (
  { server, ca }: TestApiServer['config'],
  { certificate, key }: { readonly certificate: string; readonly key: string },
): string => {
  const base64 = (text = ''): string => Buffer.from(text).toString('base64');
  const user = { 'client-certificate-data': base64(certificate), 'client-key-data': base64(key) };
  return dump({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'test', cluster: { server, 'certificate-authority-data': base64(ca) } }],
    users: [{ name: 'user', user }],
    contexts: [{ name: 'test', context: { cluster: 'test', user: 'user' } }],
    'current-context': 'test',
  });
};

/** How an API server asks the token webhook (Kubernetes documentation "Webhook Token Authentication"). */
const authenticatorConfig = (server: string): string =>
  dump({
    apiVersion: 'v1',
    kind: 'Config',
    // The certificate is made together with the API server that this file is for.
    clusters: [{ name: 'eks', cluster: { server, 'insecure-skip-tls-verify': true } }],
    users: [{ name: 'api-server' }],
    contexts: [{ name: 'eks', context: { cluster: 'eks', user: 'api-server' } }],
    'current-context': 'eks',
  });

/** The webhook is fail-open, so nothing may be created before it answers. */
const untilAnswers = async (port: number, ca: string): Promise<void> => {
  const agent = new Agent({ connect: { ca } });
  await until(async () => (await fetch(`https://127.0.0.1:${port}/healthz`, { dispatcher: agent })).ok, {
    limitMs: 60_000,
    what: 'the controller to answer',
  });
  await agent.close();
};

/** A namespace whose pods match a profile of the same name, and a subnet for them all. */
export const ensureFargate = async (client: KubeClient, name: string): Promise<void> => {
  const apply = { type: 'apply', fieldManager: 'test', force: true } as const;
  await client.patch(
    namespaces,
    { name },
    { apiVersion: 'v1', kind: 'Namespace', metadata: { name } },
    apply,
  );
  const api = { apiVersion: 'cloister.dev/v1alpha1' };
  const subnet = {
    ...api,
    kind: 'Subnet',
    metadata: { name: 'a' },
    spec: { cidr: '10.0.0.0/20', zone: 'local-1a', type: 'private' },
  };
  await client.patch(subnets, { name: 'a' }, subnet, apply);
  const profile = {
    ...api,
    kind: 'FargateProfile',
    metadata: { name },
    spec: { selectors: [{ namespace: name }] },
  };
  await until(() => client.patch(fargateProfiles, { name }, profile, apply), {
    limitMs: 30_000,
    everyMs: 200,
    what: `profile ${name} to be accepted`,
  });
  await untilLive(client, name);
  await untilAccount(client, name);
};

/** Security groups that let everything through. */
export const ensureGroups = async (client: KubeClient, ...names: readonly string[]): Promise<void> => {
  const all = [{ protocol: '-1', peers: [{ cidr: '0.0.0.0/0' }] }];
  for (const name of names)
    await client.create(securityGroups, {
      apiVersion: API_VERSION,
      kind: 'SecurityGroup',
      metadata: { name },
      spec: { ingress: all, egress: all },
    });
};

/** Waits until the scheduler knows what a subnet is like. */
export const untilUsable = (client: KubeClient, name: string, usable: 'True' | 'False'): Promise<unknown> =>
  until(
    async () => {
      const { conditions } = (await client.get(subnets, { name })).status ?? {};
      return conditions?.some(({ type, status }) => type === 'Usable' && status === usable);
    },
    { limitMs: 30_000, what: `the scheduler to know the subnet ${name}: Usable=${usable}` },
  );

/** A small pod. */
export const podIn = (namespace: string, name: string, spec: Partial<Pod['spec']> = {}): Pod => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { namespace, name },
  spec: { containers: [{ name: 'main', image: 'registry.local/none:1' }], ...spec },
});

/** Waits until the pod is in that phase, and gives it. */
export const untilPhase = (
  client: KubeClient,
  namespace: string,
  name: string,
  phase: string,
): Promise<Pod> =>
  until(
    async () => {
      const pod = await client.get(pods, { namespace, name });
      return pod.status?.phase === phase ? pod : undefined;
    },
    { limitMs: 60_000, what: `pod ${namespace}/${name} to be ${phase}` },
  );

/**
 * Waits until a machine runs its pod under its cap, and gives it: from then on a test may write its file, which the
 * product changes no more.
 */
export const settledMachine = ({ machines }: TestProduct, name: string): Promise<FakeMachine> =>
  until(
    () => {
      const machine = readFakeMachine(machines, name);
      return machine?.capped ? machine : undefined;
    },
    { limitMs: 30_000, what: `machine ${name} to be capped` },
  );

/** What is left after pods and machines have settled: everything must match one to one. */
export const census = async ({ client, machineNames }: TestProduct) => ({
  pods: (await client.list(pods, { fieldSelector: 'spec.schedulerName=fargate-scheduler' }))
    .map((pod) => `vm-${pod.metadata.uid}`)
    .toSorted(),
  microVMs: (await client.list(microVMs)).map(({ metadata }) => metadata.name).toSorted(),
  machines: machineNames().toSorted(),
  nodes: (await client.list(nodes))
    .map(({ metadata }) => metadata.annotations?.['cloister.dev/microvm'] ?? '')
    .toSorted(),
});
