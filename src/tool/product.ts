/** The product in an embedded cluster: its objects, subnets, configuration and process. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { subnets } from '../api/resources.ts';
import type { Cluster } from '../cluster/cluster.ts';
import { logFile, pidFile, untilAnswers } from '../cluster/control.ts';
import { proxyProgram } from '../cluster/packages.ts';
import {
  ACCOUNT,
  API_SERVER,
  BALANCERS_CIDR,
  CLUSTER_DOMAIN,
  CONTROL_ADDRESS,
  DNS_SERVICE_ADDRESS,
  EKS_DOOR_PORT,
  EKS_PORT,
  ISSUER,
  namespaces,
  PRODUCT_PORT,
  PRODUCT_URL,
  places,
  REGION,
  REGISTRY,
  SERVICES_CIDR,
  SUBNETS,
} from '../cluster/plan.ts';
import { type ClusterRecord, readRecord } from '../cluster/record.ts';
import { probeAcceleration } from '../compute/local/accel.ts';
import { API_VERSION } from '../core/names.ts';
import { buildGuestImage, type GuestImage } from '../guest/image.ts';
import { exec } from '../host/exec.ts';
import { cacheFolder } from '../host/folders.ts';
import { inNamespace } from '../host/namespace.ts';
import { startDaemon } from '../host/process.ts';
import { type OnProgress, step } from '../host/progress.ts';
import { ROOT, scriptCommand } from '../host/script.ts';
import { KubeClient } from '../kube/client.ts';
import { loadKubeconfig } from '../kube/kubeconfig.ts';
import type { ControllerConfig, EksConfig } from '../main/config.ts';
import { installBalancing, installProduct } from '../main/install.ts';
import { installNetwork } from './network.ts';

/** How long a guest may take to join: emulation on a busy machine is slow. */
const JOIN_LIMIT_SECONDS = 300;

/** Builds or opens the guest image, and finds out how guests run on this host. */
export const prepareGuests = async (
  components: string,
  cache: string,
  onProgress: OnProgress,
): Promise<{ readonly image: GuestImage; readonly acceleration: 'kvm' | 'tcg'; readonly why: string }> => {
  const image = await step(onProgress, 'guest image', (note) =>
    buildGuestImage({ binaries: components, cache, onProgress: note }),
  );
  const verdict = await step(onProgress, 'probe virtualisation', () => probeAcceleration(image, cache));
  return { image, ...verdict };
};

const requireRecord = (state: string): ClusterRecord => {
  const record = readRecord(state);
  if (record === undefined) throw new Error(`there is no cluster in ${state}: run \`./tool up\``);
  return record;
};

/** The EKS API: plain HTTP for the door, TLS for pods and for the API server. */
const eksConfig = (state: string): EksConfig => {
  const { kubernetesVersion, ports } = requireRecord(state);
  return {
    account: ACCOUNT,
    http: { address: '127.0.0.1', port: EKS_DOOR_PORT },
    https: {
      address: CONTROL_ADDRESS,
      port: EKS_PORT,
      certificate: join(places(state).pki, 'webhook.crt'),
      key: join(places(state).pki, 'webhook.key'),
    },
    kubernetesVersion,
    endpoint: `https://127.0.0.1:${ports['api']}`,
    serviceCidr: SERVICES_CIDR,
    issuer: ISSUER,
  };
};

/** What the controller of an embedded cluster is told. */
const controllerConfig = (
  { name, state }: Pick<Cluster, 'name' | 'state'>,
  image: string,
  acceleration: 'kvm' | 'tcg',
  proxy: Awaited<ReturnType<typeof proxyProgram>>,
): ControllerConfig => {
  const pki = (file: string): string => join(places(state).pki, file);
  return {
    kubeconfig: places(state).productKubeconfig,
    clusterName: name,
    region: REGION,
    webhook: {
      address: CONTROL_ADDRESS,
      port: PRODUCT_PORT,
      certificate: pki('webhook.crt'),
      key: pki('webhook.key'),
    },
    cluster: {
      server: API_SERVER,
      certificateAuthority: pki('ca.crt'),
      clusterDns: DNS_SERVICE_ADDRESS,
      clusterDomain: CLUSTER_DOMAIN,
      resolver: CONTROL_ADDRESS,
      registries: [{ host: REGISTRY, endpoint: `http://${REGISTRY}` }],
    },
    provider: {
      kind: 'local',
      cluster: name,
      directory: places(state).machines,
      router: namespaces(name).router,
      image,
      acceleration,
    },
    balancing: {
      cidr: BALANCERS_CIDR,
      namespace: namespaces(name).balancer,
      directory: places(state).balancer,
      ...proxy,
    },
    eks: eksConfig(state),
    joinLimitSeconds: JOIN_LIMIT_SECONDS,
    logLevel: 'info',
  };
};

/** Applies the product's objects, and the network with its subnets. Safe to repeat. */
const installInto = async (cluster: Cluster): Promise<void> => {
  const client = new KubeClient(loadKubeconfig(cluster.kubeconfig));
  try {
    await installProduct({
      client,
      webhookUrl: PRODUCT_URL,
      webhookCa: readFileSync(join(places(cluster.state).pki, 'ca.crt'), 'utf8'),
    });
    await installBalancing(client);
    await installNetwork(client, cluster.name, requireRecord(cluster.state).egress);
    for (const { name, cidr, zone } of SUBNETS) {
      const subnet = {
        apiVersion: API_VERSION,
        kind: 'Subnet',
        metadata: { name },
        spec: { cidr, zone, type: 'private' },
      } as const;
      await client.patch(subnets, { name }, subnet, {
        type: 'apply',
        fieldManager: 'cloister-cluster',
        force: true,
      });
    }
  } finally {
    await client.close();
  }
};

/** Path of the controller's configuration file. */
export const controllerConfigFile = (state: string): string => join(places(state).config, 'controller.json');

/**
 * Starts the controller with the configuration that its cluster has, unless it runs, and waits until its
 * webhooks answer.
 */
export const startController = async (name: string, state: string): Promise<void> => {
  const config = controllerConfigFile(state);
  if (!existsSync(config)) throw new Error(`the product was never installed in ${name}: run \`./tool up\``);
  const { control } = namespaces(name);
  const [program, args] = inNamespace(
    control,
    ...scriptCommand('src/main/controller.ts', ['--config', config]),
  );
  await startDaemon({
    name: 'controller',
    program,
    args,
    cwd: ROOT,
    logFile: logFile(state, 'controller'),
    pidFile: pidFile(state, 'controller'),
  });
  await untilAnswers(state, ['controller'], 'the controller to listen for webhook calls', () =>
    listens(control),
  );
};

const listens = async (namespace: string): Promise<boolean> => {
  const [program, args] = inNamespace(namespace, 'ss', ['-Hltn', 'sport', '=', `:${PRODUCT_PORT}`]);
  return (await exec(program, args)) !== '';
};

/** Installs the product into a running cluster and starts its controller. */
export const runProduct = async (
  cluster: Cluster,
  guests: { readonly image: GuestImage; readonly acceleration: 'kvm' | 'tcg' },
): Promise<void> => {
  await installInto(cluster);
  const proxy = await proxyProgram(cacheFolder());
  const config = controllerConfig(cluster, guests.image.directory, guests.acceleration, proxy);
  writeFileSync(controllerConfigFile(cluster.state), `${JSON.stringify(config, null, 2)}\n`, { mode: 0o600 });
  await startController(cluster.name, cluster.state);
};
