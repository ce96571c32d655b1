/**
 * Balancers for Services and Ingresses, straight to the addresses of pods (spec/fargate.md §6.2). One pass looks
 * at everything: it holds what asks, tells the balancer, tells the objects, and lets go of what asks no more.
 */
import type { EndpointSlice, Pod } from '../api/resources.ts';
import { assignAddresses } from '../core/balancing/addresses.ts';
import { build, type Front } from '../core/balancing/build.ts';
import { refusal } from '../core/balancing/certificates.ts';
import { serviceClaim } from '../core/balancing/claims.ts';
import { gatesOf, waitsForBalancer } from '../core/balancing/gates.ts';
import type { Problem } from '../core/balancing/model.ts';
import { inWords } from '../core/balancing/origins.ts';
import { poolsOfService } from '../core/balancing/pools.ts';
import { groupBy } from '../core/group-by.ts';
import { type Controller, type Outcome, runController } from '../kube/controller.ts';
import { type Complaints, complaints, tellSuccess } from './complaints.ts';
import type { BalancingContext } from './context.ts';
import { each } from './each.ts';
import { openGates } from './gates.ts';
import { type Asking, askingObjects, current, hold, release, tellAddress } from './objects.ts';

/** The one key: addresses and the configuration are of all balancers together. */
const ALL = 'balancers';

/** How soon to look again while targets start or drain, and how often to see that the balancer lives. */
const SOON_MS = 1_000;
const LATER_MS = 5_000;

/** Starts balancing. The stores must be synced. */
export const runBalancing = (context: BalancingContext): Pick<Controller, 'stop'> => {
  const told = complaints();
  const controller = runController({
    name: 'balancing',
    workers: 1,
    reconcile: () => pass(context, told),
    log: context.log,
  });
  const again = (): void => controller.enqueue(ALL);
  const unsubscribe = [
    context.services.onChange(again),
    context.ingresses.onChange(again),
    context.classes.onChange(again),
    context.slices.onChange(again),
    context.secrets.onChange(again),
    context.pods.onChange((_key, now, before) => {
      const gated = [now, before].some((pod) => pod !== undefined && gatesOf(pod).length > 0);
      if (gated || (now !== undefined && isEnding(now) && !(before && isEnding(before)))) again();
    }),
  ];
  again();
  return {
    stop: async () => {
      for (const stop of unsubscribe) stop();
      await controller.stop();
    },
  };
};

const pass = async (context: BalancingContext, told: Complaints): Promise<Outcome> => {
  const asking = askingObjects(context);
  const { addresses, problems } = assign(asking, context);
  const addressOf = ({ owner }: Asking): string => addresses.get(owner) as string;
  const placed = asking.filter(({ wanted, owner }) => wanted && addresses.has(owner));
  const notHeld = await each(placed, (one) => hold(one, addressOf(one), context));
  const served = placed.filter((one) => one.held || !notHeld.objects.has(one));

  const built = build(frontsOf(served, addresses, context), {
    services: (key) => context.services.get(key),
    secrets: (key) => context.secrets.get(key),
    slices: slicesByService(context),
    pods: {
      waiting: new Map(
        context.pods
          .list()
          .filter(waitsForBalancer)
          .map((pod) => [keyOf(pod), gatesOf(pod)]),
      ),
      ending: new Set(context.pods.list().filter(isEnding).map(keyOf)),
    },
  });
  const balanced = await context.balancer.apply(built);

  const leaving = asking.filter((one) => one.held && !placed.includes(one));
  const notReleased = await each(leaving, (one) => release(one, context));
  const notTold = await each(served, async (one) => {
    const news = await tellAddress(current(one, context), addressOf(one), context);
    if (news) await tellSuccess(one, context);
  });
  const gatesWait = await openGates(built, balanced, context);
  const refusals = balanced.refused.map(refusal);
  const refused = [notHeld, notReleased, notTold].flatMap((one) => one.problems);
  await told.tell(
    [...problems, ...refused, ...built.problems, ...refusals, ...instanceProblems(context)],
    context,
  );
  return { again: balanced.settled && !gatesWait ? LATER_MS : SOON_MS };
};

const isEnding = ({ metadata }: Pod): boolean => metadata.deletionTimestamp !== undefined;

const keyOf = ({ metadata }: { readonly metadata: { namespace?: string; name?: string } }): string =>
  `${metadata.namespace}/${metadata.name}`;

/** The address of each owner; what leaves keeps its own until it is let go of. */
const assign = (
  asking: readonly Asking[],
  { range }: BalancingContext,
): { readonly addresses: ReadonlyMap<string, string>; readonly problems: readonly Problem[] } => {
  const askers = asking.map(({ owner: id, told, written, object: { metadata } }) => ({
    id,
    told,
    written,
    since: String(metadata.creationTimestamp),
  }));
  const { given, without } = assignAddresses(range, askers);
  const problems = asking
    .filter(({ owner, wanted }) => wanted && without.includes(owner))
    .map(({ origin }) => ({
      origin,
      message: `${inWords(origin)} gets no balancer: all addresses of ${range.cidr} are taken. Delete a Service of type LoadBalancer or an Ingress that is not needed, or let Ingresses share an address by a group`,
    }));
  return { addresses: given, problems };
};

const frontsOf = (
  wanted: readonly Asking[],
  addresses: ReadonlyMap<string, string>,
  context: BalancingContext,
): readonly Front[] => {
  const services: Front[] = [];
  const groups = new Map<string, Front & { readonly kind: 'Ingress' }>();
  for (const one of wanted.map((each) => current(each, context))) {
    const address = addresses.get(one.owner) as string;
    if (one.kind === 'Service') services.push({ kind: 'Service', address, service: one.object });
    else {
      const others = groups.get(one.owner)?.ingresses ?? [];
      groups.set(one.owner, { kind: 'Ingress', address, ingresses: [...others, one.object] });
    }
  }
  return [...services, ...groups.values()];
};

const slicesByService = ({ slices }: BalancingContext): ((key: string) => readonly EndpointSlice[]) => {
  const byService = groupBy(
    slices.list(),
    ({ metadata }) => `${metadata.namespace}/${metadata.labels?.['kubernetes.io/service-name']}`,
  );
  return (key) => byService.get(key) ?? [];
};

/** Services that ask for instances as targets, which nothing here can be. */
const instanceProblems = ({ services }: BalancingContext): readonly Problem[] =>
  services
    .list()
    .filter((service) => serviceClaim(service) === 'instance')
    .flatMap((service) => poolsOfService(service).flatMap(({ problems }) => problems));
