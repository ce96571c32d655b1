/** Wires the EKS API: its state from the cluster, and its listeners. */
import { readFileSync } from 'node:fs';
import type { Server } from 'node:tls';
import type { Logger } from 'pino';
import type { FargateProfile } from '../api/fargate-profile.ts';
import { configMaps, namespaces, serviceAccounts } from '../api/resources.ts';
import type { Subnet } from '../api/subnet.ts';
import type { Account } from '../core/eks/arn.ts';
import { EKS_FACTS, eksFactsData } from '../core/eks/facts.ts';
import { LIMITS } from '../core/profile/rules.ts';
import { watchAccess } from '../eks/access.ts';
import type { EksContext } from '../eks/context.ts';
import { forget } from '../eks/idempotency.ts';
import { eksServer } from '../eks/server.ts';
import { loadSessions } from '../eks/sessions.ts';
import { turns } from '../eks/turn.ts';
import { type KubeClient, orNothing } from '../kube/client.ts';
import { runController } from '../kube/controller.ts';
import type { Store } from '../kube/store.ts';
import { serveRenewed, servingPair } from './certificates.ts';
import type { ControllerConfig, EksConfig } from './config.ts';

/** What the API shares with the rest of the controller. */
export interface EksInputs {
  readonly client: KubeClient;
  readonly profiles: Store<FargateProfile>;
  readonly subnets: Store<Subnet>;
  readonly mapRoles: () => readonly unknown[];
  readonly log: Logger;
}

/** Whose the cluster is, in the terms of EKS. */
export const accountOf = (
  { region }: Pick<ControllerConfig, 'region'>,
  { partition = 'aws', account }: EksConfig,
): Account => ({ partition, region, account });

/** Calls of one key, unless it or the configuration says otherwise. */
const RATE = { perSecond: 200, burst: 400 };

/** How often kept answers are looked through for old ones. */
const SWEEP_MS = 60 * 60_000;

const contextOf = async (
  config: ControllerConfig,
  eks: EksConfig,
  { client, profiles, subnets, mapRoles, log }: EksInputs,
): Promise<EksContext> => {
  const access = watchAccess(client, log);
  await access.synced;
  // The namespace that every cluster begins with tells when the cluster began.
  const { metadata } = await client.get(namespaces, { name: 'kube-system' });
  return {
    client,
    account: accountOf(config, eks),
    cluster: {
      name: config.clusterName,
      status: 'ACTIVE',
      createdAt: String(metadata.creationTimestamp),
      version: eks.kubernetesVersion,
      endpoint: eks.endpoint,
      certificateAuthority: readFileSync(config.cluster.certificateAuthority, 'utf8'),
      serviceCidr: eks.serviceCidr,
      issuer: eks.issuer,
      vpcId: `vpc-${config.clusterName}`,
      securityGroupId: `sg-${config.clusterName}`,
    },
    settings: {
      oneAtATime: eks.oneAtATime ?? true,
      updates: eks.updates ?? true,
      limits: { ...LIMITS, profiles: config.maxProfiles ?? LIMITS.profiles },
      places: config.places ?? {},
      rate: eks.rate ?? RATE,
      audiences: eks.audiences ?? ['sts.amazonaws.com'],
    },
    access,
    sessions: await loadSessions(client),
    profiles: { get: (name) => profiles.get(name), list: () => profiles.list() },
    subnets: () => subnets.list(),
    mapRoles,
    serviceAccount: (namespace, name) => orNothing(client.get(serviceAccounts, { namespace, name })),
    now: Date.now,
    log,
  };
};

/** Tells `cloister profile` what only this process is told. */
const publish = async ({ client, cluster, account, settings }: EksContext): Promise<void> => {
  const { limits, oneAtATime } = settings;
  const data = eksFactsData({ cluster: cluster.name, account, limits, oneAtATime });
  const object = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { ...EKS_FACTS }, data };
  await client.patch(configMaps, EKS_FACTS, object, { type: 'apply', force: true });
};

/** Starts the API. Gives the way to stop it. */
export const runEks = async (
  config: ControllerConfig,
  eks: EksConfig,
  inputs: EksInputs,
): Promise<{ readonly stop: () => Promise<void> }> => {
  const context = await contextOf(config, eks, inputs);
  const { client, log } = inputs;
  const services = {
    takeTurn: turns(client),
    wrote: (profile: FargateProfile) => inputs.profiles.assume(profile),
  };
  await publish(context);
  const { http, https, anonymous = false } = eks;
  const servers: { readonly close: () => Promise<unknown> }[] = [];
  if (http !== undefined) {
    const server = await eksServer({ context, services, anonymous });
    servers.push(server);
    await server.listen({ host: http.address, port: http.port });
  }
  if (https !== undefined) {
    const server = await eksServer({ context, services, tls: servingPair(https) });
    // Its type does not tell that it speaks TLS.
    serveRenewed(server.server as unknown as Server, https, log);
    servers.push(server);
    await server.listen({ host: https.address, port: https.port });
  }
  const sweeper = runController({
    name: 'eks-requests',
    workers: 1,
    reconcile: async () => {
      await forget(client, Date.now());
      return { again: SWEEP_MS };
    },
    log,
  });
  sweeper.enqueue('sweep');
  return {
    stop: async () => {
      await Promise.all([...servers.map((server) => server.close()), sweeper.stop()]);
      context.access.stop();
    },
  };
};
