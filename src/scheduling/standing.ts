/** Keeps the status of network, subnets and profiles: free addresses, and whether pods can use them. */
import type { Logger } from 'pino';
import type { FargateProfile } from '../api/fargate-profile.ts';
import type { Network } from '../api/network.ts';
import { fargateProfiles, networks, type Resource, subnets } from '../api/resources.ts';
import type { Subnet } from '../api/subnet.ts';
import { withCondition } from '../core/conditions.ts';
import { NETWORK } from '../core/net/network.ts';
import type { Occupancy } from '../core/placement/occupancy.ts';
import {
  NETWORK_READY,
  networkStanding,
  profileStanding,
  subnetStanding,
} from '../core/placement/standing.ts';
import { type Places, placesIn } from '../core/placement/subnets.ts';
import { type KubeClient, type KubeObject, orNothing } from '../kube/client.ts';
import { type Controller, done, type Outcome, runController } from '../kube/controller.ts';
import type { Store } from '../kube/store.ts';

/** What is read and written. */
export interface StandingContext {
  readonly client: KubeClient;
  readonly profiles: Store<FargateProfile>;
  readonly subnets: Store<Subnet>;
  readonly networks: Store<Network>;
  readonly occupancy: Occupancy;
  /** Calls when an address may have been taken or freed. Gives the way to stop. */
  readonly onOccupancy: (changed: () => void) => () => void;
  readonly places: Places;
  readonly log: Logger;
  readonly now: () => Date;
}

/** Changes of addresses within this time are told together, in milliseconds. */
const COALESCE_MS = 2_000;

const WORKERS = 4;

type Kind = 'network' | 'subnet' | 'profile';

/** Starts it. The stores must be synced. Gives the way to stop it. */
export const runStanding = (context: StandingContext): Pick<Controller, 'stop'> => {
  const { profiles, subnets: known, networks: one, onOccupancy } = context;
  const controller = runController({
    name: 'standing',
    workers: WORKERS,
    reconcile: (key) => reconcile(key, context),
    log: context.log,
  });
  const enqueue = (kind: Kind, name: string, afterMs = 0): void =>
    controller.enqueue(`${kind}/${name}`, afterMs);
  const all = (kind: Kind, list: readonly { metadata: { name: string } }[], afterMs?: number): void => {
    for (const { metadata } of list) enqueue(kind, metadata.name, afterMs);
  };
  const everything = (): void => {
    all('network', one.list());
    all('subnet', known.list());
    all('profile', profiles.list());
  };
  const unsubscribe = [
    one.onChange(everything),
    known.onChange((name) => {
      enqueue('subnet', name);
      all('profile', profiles.list());
    }),
    profiles.onChange((name) => enqueue('profile', name)),
    onOccupancy(() => all('subnet', known.list(), COALESCE_MS)),
  ];
  everything();
  return {
    stop: async () => {
      for (const stop of unsubscribe) stop();
      await controller.stop();
    },
  };
};

const reconcile = async (key: string, context: StandingContext): Promise<Outcome> => {
  const [kind, name] = key.split('/') as [Kind, string];
  switch (kind) {
    case 'network':
      await ofNetwork(name, context);
      break;
    case 'subnet':
      await ofSubnet(name, context);
      break;
    case 'profile':
      await ofProfile(name, context);
      break;
  }
  return done;
};

/** Writes a status unless it changes nothing; the version guards conditions that others wrote meanwhile. */
const write = async <T extends KubeObject>(
  resource: Resource<T>,
  { metadata }: { readonly metadata: { readonly name: string; readonly resourceVersion?: string } },
  store: Pick<Store<T>, 'assume'>,
  status: object,
  { client }: StandingContext,
): Promise<void> => {
  const { name, resourceVersion } = metadata;
  const patch = { metadata: { resourceVersion }, status };
  const written = await orNothing(
    client.patch(resource, { name }, patch, { type: 'merge', subresource: 'status' }),
  );
  if (written !== undefined) store.assume(written);
};

const around = ({ networks: one, places }: StandingContext) => {
  const network = one.get(NETWORK);
  return { network, places: placesIn(places, network) };
};

const ofNetwork = async (name: string, context: StandingContext): Promise<void> => {
  const network = context.networks.get(name);
  if (network === undefined) return;
  const before = network.status?.conditions ?? [];
  const conditions = withCondition(before, networkStanding(network), context.now().toISOString());
  if (conditions !== before) await write(networks, network, context.networks, { conditions }, context);
};

const ofSubnet = async (name: string, context: StandingContext): Promise<void> => {
  const subnet = context.subnets.get(name);
  if (subnet === undefined) return;
  const { available, usable } = subnetStanding(subnet, around(context).places, context.occupancy);
  const before = subnet.status?.conditions ?? [];
  const conditions = withCondition(before, usable, context.now().toISOString());
  if (conditions === before && subnet.status?.available === available) return;
  await write(subnets, subnet, context.subnets, { available, conditions }, context);
};

/** A profile that never lacked anything is not written to: others wait for its first status. */
const ofProfile = async (name: string, context: StandingContext): Promise<void> => {
  const profile = context.profiles.get(name);
  if (profile === undefined || profile.metadata.deletionTimestamp !== undefined) return;
  const { network, places } = around(context);
  const standing = profileStanding(profile.spec.subnets, context.subnets.list(), places, network);
  const before = profile.status?.conditions ?? [];
  if (standing.status === 'True' && !before.some(({ type }) => type === NETWORK_READY)) return;
  const conditions = withCondition(before, standing, context.now().toISOString());
  if (conditions !== before) await write(fargateProfiles, profile, context.profiles, { conditions }, context);
};
