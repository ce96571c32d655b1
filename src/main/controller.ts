/**
 * The product's one process: admission, scheduler and lifecycle over one set of stores. Only here they are
 * wired; they know of each other through objects in the API server alone.
 *
 *   node --import tsx src/main/controller.ts --config FILE
 */
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { type Logger, pino } from 'pino';
import { accountFrom } from '../admission/accounts.ts';
import { groupSources } from '../admission/groups.ts';
import { identitiesFrom } from '../admission/identities.ts';
import { announce } from '../admission/presence.ts';
import { admissionServer } from '../admission/webhook.ts';
import { AWS_AUTH } from '../api/aws-auth.ts';
import {
  configMaps,
  fargateProfiles,
  flowWatches,
  mutatingWebhookConfigurations,
  networks,
  nodes,
  persistentVolumeClaims,
  persistentVolumes,
  podExecutionRoles,
  pods,
  securityGroupPolicies,
  securityGroups,
  serviceAccounts,
  storageClasses,
  subnets,
} from '../api/resources.ts';
import { LOGGING_CONFIG } from '../core/logging/outcome.ts';
import { IDENTITY_WEBHOOK, SCHEDULER, UPSTREAM_GROUPS_WEBHOOK } from '../core/names.ts';
import { NETWORK } from '../core/net/network.ts';
import { placesIn } from '../core/placement/subnets.ts';
import { LIMITS } from '../core/profile/rules.ts';
import { KubeClient, orNothing } from '../kube/client.ts';
import { eventRecorder } from '../kube/events.ts';
import { loadKubeconfig } from '../kube/kubeconfig.ts';
import { type Store, watchStore } from '../kube/store.ts';
import { foreignPods, runForeign } from '../lifecycle/foreign.ts';
import { runLifecycle } from '../lifecycle/lifecycle.ts';
import { removeOrphans } from '../lifecycle/orphans.ts';
import { runEnclosure } from '../network/enclosure.ts';
import { runFilters } from '../network/filters.ts';
import { runFollowers } from '../network/followers.ts';
import { runRefusals } from '../network/refusals.ts';
import { firewallStores } from '../network/stores.ts';
import { runProfiles } from '../profiles/reconciler.ts';
import { watchReplicas } from '../profiles/replicas.ts';
import { publishFacts } from '../scheduling/facts.ts';
import { rolesFrom } from '../scheduling/roles.ts';
import { runScheduler } from '../scheduling/scheduler.ts';
import { prepareBalancing } from './balancing.ts';
import { serveRenewed, servingPair } from './certificates.ts';
import { type ControllerConfig, loadConfig } from './config.ts';
import { accountOf, runEks } from './eks.ts';
import { everyPod } from './pods.ts';
import { providerOf } from './providers.ts';

const run = async (config: ControllerConfig, log: Logger): Promise<() => Promise<void>> => {
  const client = new KubeClient(loadKubeconfig(config.kubeconfig));
  const { provider, image } = providerOf(config);
  // Before the profiles are listed: see there.
  const presence = await announce(client, log);
  const replicas = watchReplicas(client, log);
  const stores = {
    pods: watchStore(client, pods, { fieldSelector: `spec.schedulerName=${SCHEDULER}`, log }),
    profiles: watchStore(client, fargateProfiles, { log }),
    subnets: watchStore(client, subnets, { log }),
    executionRoles: watchStore(client, podExecutionRoles, { log }),
    claims: watchStore(client, persistentVolumeClaims, { log }),
    volumes: watchStore(client, persistentVolumes, { log }),
    classes: watchStore(client, storageClasses, { log }),
    nodes: watchStore(client, nodes, { labelSelector: 'eks.amazonaws.com/compute-type=fargate', log }),
    foreign: foreignPods(client, log),
    accounts: watchStore(client, serviceAccounts, { log }),
    webhooks: watchStore(client, mutatingWebhookConfigurations, {
      fieldSelector: named(IDENTITY_WEBHOOK),
      log,
    }),
    groupWebhooks: watchStore(client, mutatingWebhookConfigurations, {
      fieldSelector: named(UPSTREAM_GROUPS_WEBHOOK),
      log,
    }),
    ...firewallStores(client, log, everyPod(client, log)),
    logging: watchStore(client, configMaps, {
      namespace: LOGGING_CONFIG.namespace,
      fieldSelector: named(LOGGING_CONFIG.name),
      log,
    }),
  };
  // Not waited for: where somebody removed these kinds, pods still start.
  const groupPolicies = watchStore(client, securityGroupPolicies, { log });
  const flowWatching = watchStore(client, flowWatches, { log });
  const authConfig =
    config.eks === undefined
      ? undefined
      : watchStore(client, configMaps, {
          namespace: AWS_AUTH.namespace,
          fieldSelector: named(AWS_AUTH.name),
          log,
        });
  await Promise.all([
    replicas.synced,
    authConfig?.synced,
    ...Object.values(stores).map((store: Store<unknown>) => store.synced),
  ]);

  const network = () => stores.networks.get(NETWORK);
  const balancing =
    config.balancing === undefined
      ? undefined
      : await prepareBalancing(config.balancing, {
          client,
          namespaces: stores.namespaces,
          pods: stores.peers,
          log,
        });

  const owner = config.eks && { account: accountOf(config, config.eks), cluster: config.clusterName };
  const roles = owner && authConfig && rolesFrom({ ...stores, authConfig, owner, log });

  const { address, port, ...files } = config.webhook;
  const account = accountFrom(client, stores.accounts);
  const admission = admissionServer({
    // A profile that is being deleted takes no more pods.
    profiles: () => stores.profiles.list().filter(({ metadata }) => metadata.deletionTimestamp === undefined),
    subnets: () => stores.subnets.list(),
    region: config.region,
    places: () => placesIn(config.places ?? {}, network()),
    // Profiles are rare, and often made right after their role: roles are read as they are now.
    ...(owner && { roles: async () => ({ ...owner, roles: await client.list(podExecutionRoles) }) }),
    // So are subnets, and one may be made right after the network that it lies in.
    vpc: async () => ({
      subnets: await client.list(subnets),
      network: await orNothing(client.get(networks, { name: NETWORK })),
    }),
    maxProfiles: config.maxProfiles ?? LIMITS.profiles,
    microVM: (name) => stores.microVMs.get(name),
    identities: identitiesFrom({
      ...stores,
      account,
      defaults: { region: config.region, regionalSts: true },
    }),
    groups: groupSources({ client, ...stores, account, groupPolicies }),
    // Deletions are rare and cannot be undone: rules are read as they are now.
    dependents: async () => ({
      machines: stores.microVMs.list(),
      groups: await client.list(securityGroups),
      clusterGroup: network()?.spec.clusterSecurityGroup,
    }),
    ...(balancing && { gates: balancing.gates }),
    tls: servingPair(files),
    log,
  });
  serveRenewed(admission.server, files, log);
  await admission.listen({ host: address, port });
  presence.follow(stores.profiles);

  const shared = {
    client,
    provider,
    ...stores,
    ...(roles === undefined ? {} : { roles }),
    ...(authConfig === undefined ? {} : { authConfig }),
    events: eventRecorder(client, SCHEDULER),
    log,
    now: () => new Date(),
  };
  const life = {
    ...shared,
    cluster: {
      ...config.cluster,
      ca: readFileSync(config.cluster.certificateAuthority, 'utf8'),
    },
    clusterName: config.clusterName,
    joinLimitMs: config.joinLimitSeconds * 1000,
  };
  await removeOrphans(life);
  const settings = {
    region: config.region,
    places: config.places ?? {},
    ...(config.vcpuQuota === undefined ? {} : { quotaMilliCpu: config.vcpuQuota * 1000 }),
    ...(config.accountBlocked === undefined ? {} : { accountBlocked: config.accountBlocked }),
  };
  const scheduler = runScheduler({
    ...shared,
    ...settings,
    ...(config.launchRate === undefined ? {} : { launchRate: config.launchRate }),
    image,
  });
  const lifecycle = runLifecycle(life);
  const enclosure = runEnclosure(shared);
  const filters = runFilters(shared);
  const refusals = runRefusals(shared);
  const followers = runFollowers({ ...shared, flowWatches: flowWatching });
  const guard = runForeign(shared);
  const profiles = runProfiles({ ...shared, replicas, now: Date.now });
  const mapRoles = () => roles?.now().mapRoles ?? [];
  const eks =
    config.eks === undefined ? undefined : await runEks(config, config.eks, { ...shared, mapRoles });
  const balancers = balancing?.run();
  const facts = publishFacts({ ...shared, settings });
  log.info({ provider: provider.name, image }, 'controller runs');

  return async () => {
    await admission.close();
    await Promise.all([
      presence.stop(),
      scheduler.stop(),
      lifecycle.stop(),
      enclosure.stop(),
      filters.stop(),
      refusals.stop(),
      followers.stop(),
      guard.stop(),
      facts.stop(),
      profiles.stop(),
      eks?.stop(),
      balancers?.stop(),
    ]);
    for (const store of [...Object.values(stores), groupPolicies, flowWatching, replicas, authConfig])
      store?.stop();
    await client.close();
  };
};

const named = (name: string): string => `metadata.name=${name}`;

const { values } = parseArgs({ options: { config: { type: 'string' } } });
if (values.config === undefined) {
  console.error('usage: controller --config FILE');
  process.exit(2);
}
const config = loadConfig(values.config);
const log = pino({ level: config.logLevel, timestamp: pino.stdTimeFunctions.isoTime });
const stop = await run(config, log);
for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  process.once(signal, () => {
    log.info({ signal }, 'controller stops; machines go on');
    stop().then(
      () => process.exit(0),
      (cause) => {
        log.error({ err: cause }, 'controller did not stop cleanly');
        process.exit(1);
      },
    );
  });
}
