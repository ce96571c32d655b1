/** Services and Ingresses as one thing: what asks for a balancer, is held for it and is told its address. */
import { type Ingress, ingresses, type Service, services } from '../api/resources.ts';
import { ADDRESS_ANNOTATION, BALANCER_FINALIZER, OWNER_ANNOTATION } from '../core/balancing/annotations.ts';
import { claimedClasses, ingressClaimed, ownerOf, serviceClaim } from '../core/balancing/claims.ts';
import type { Origin } from '../core/balancing/model.ts';
import { originOf } from '../core/balancing/origins.ts';
import { orNothing } from '../kube/client.ts';
import type { BalancingContext } from './context.ts';

/** An object that a balancer is for, or was. */
export type Asking = (
  | { readonly kind: 'Service'; readonly object: Service }
  | { readonly kind: 'Ingress'; readonly object: Ingress }
) & {
  readonly origin: Origin;
  /** Key of what gets one address. */
  readonly owner: string;
  /** Whether it asks for a balancer now. */
  readonly wanted: boolean;
  /** Whether it has our finalizer. */
  readonly held: boolean;
  /** The address that is written on it, and the one that its status tells; neither when they are of another owner. */
  readonly written: string | undefined;
  readonly told: string | undefined;
};

/** An Ingress that joins or leaves a group takes no address along: that stays with those whom clients know by it. */
const stateOf = ({ metadata, status }: Service | Ingress, owner: string, claimed: boolean) => {
  const { [OWNER_ANNOTATION]: of, [ADDRESS_ANNOTATION]: written } = metadata.annotations ?? {};
  const addresses = { written, told: status?.loadBalancer?.ingress?.[0]?.ip };
  return {
    wanted: claimed && metadata.deletionTimestamp === undefined,
    held: metadata.finalizers?.includes(BALANCER_FINALIZER) === true,
    ...((of ?? owner) === owner ? addresses : { written: undefined, told: undefined }),
  };
};

/** Every object that asks for a balancer or is still held for one. */
export const askingObjects = (
  context: Pick<BalancingContext, 'services' | 'ingresses' | 'classes'>,
): readonly Asking[] => {
  const ofServices = context.services.list().map((object): Asking => {
    const owner = ownerOf(object, 'Service');
    const state = stateOf(object, owner, serviceClaim(object) === 'ip');
    return { kind: 'Service', object, origin: originOf('Service', object), owner, ...state };
  });
  const classes = claimedClasses(context.classes.list());
  const ofIngresses = context.ingresses.list().map((object): Asking => {
    const owner = ownerOf(object, 'Ingress');
    const state = stateOf(object, owner, ingressClaimed(object, classes));
    return { kind: 'Ingress', object, origin: originOf('Ingress', object), owner, ...state };
  });
  return [...ofServices, ...ofIngresses].filter(({ wanted, held }) => wanted || held);
};

type Subresource = { readonly subresource?: 'status' };

/** Patches the object and lets its store know; nothing when it is gone. @throws ApiError of a conflict */
const write = async (
  { kind, object, origin }: Asking,
  change: { readonly metadata?: object; readonly status?: object },
  { client, ...stores }: BalancingContext,
  options: Subresource = {},
): Promise<void> => {
  const key = { namespace: origin.namespace, name: origin.name };
  const { resourceVersion } = object.metadata;
  const patch = { ...change, metadata: { ...change.metadata, resourceVersion } };
  const merge = { type: 'merge', ...options } as const;
  if (kind === 'Service') keep(stores.services, await orNothing(client.patch(services, key, patch, merge)));
  else keep(stores.ingresses, await orNothing(client.patch(ingresses, key, patch, merge)));
};

/** The last version of an object that was being deleted is not to be kept once nothing holds it. */
const keep = <T extends Service | Ingress>(
  store: { assume(object: T): void },
  written: T | undefined,
): void => {
  if (written === undefined) return;
  const { deletionTimestamp, finalizers = [] } = written.metadata;
  if (deletionTimestamp === undefined || finalizers.length > 0) store.assume(written);
};

const finalizersBut = ({ metadata }: Service | Ingress): readonly string[] =>
  (metadata.finalizers ?? []).filter((one) => one !== BALANCER_FINALIZER);

/** Writes the address and the finalizer, before a balancer with that address exists. */
export const hold = async (asking: Asking, address: string, context: BalancingContext): Promise<void> => {
  if (asking.held && asking.written === address) return;
  const annotations = { [ADDRESS_ANNOTATION]: address, [OWNER_ANNOTATION]: asking.owner };
  const finalizers = [...finalizersBut(asking.object), BALANCER_FINALIZER];
  await write(asking, { metadata: { annotations, finalizers } }, context);
  context.log.info({ ...asking.origin, address }, 'balancer given');
};

const toldOf = ({ object }: Asking): readonly { readonly ip?: string }[] =>
  object.status?.loadBalancer?.ingress ?? [];

/**
 * Tells where the balancer is. Gives whether that is news.
 * With `ipMode: Proxy` kube-proxy leaves the address alone: connections from inside go through the balancer, too.
 */
export const tellAddress = async (
  asking: Asking,
  address: string,
  context: BalancingContext,
): Promise<boolean> => {
  const told = toldOf(asking);
  if (told.length === 1 && told[0]?.ip === address) return false;
  const place = asking.kind === 'Service' ? { ip: address, ipMode: 'Proxy' } : { ip: address };
  await write(asking, { status: { loadBalancer: { ingress: [place] } } }, context, { subresource: 'status' });
  return true;
};

/** Lets go of an object whose balancer is gone. One that lives on loses what was written on it. */
export const release = async (asking: Asking, context: BalancingContext): Promise<void> => {
  const fresh = current(asking, context);
  if (toldOf(fresh).length > 0 && asking.object.metadata.deletionTimestamp === undefined)
    await write(fresh, { status: { loadBalancer: { ingress: null } } }, context, { subresource: 'status' });
  const annotations = { [ADDRESS_ANNOTATION]: null, [OWNER_ANNOTATION]: null };
  const last = current(asking, context);
  await write(last, { metadata: { annotations, finalizers: finalizersBut(last.object) } }, context);
  context.log.info({ ...asking.origin, address: asking.written }, 'balancer removed');
};

/** The same object as its store has it now: a write before may have made it newer. */
export const current = (asking: Asking, { services: all, ingresses: rules }: BalancingContext): Asking => {
  const key = `${asking.origin.namespace}/${asking.origin.name}`;
  if (asking.kind === 'Service') return { ...asking, object: all.get(key) ?? asking.object };
  return { ...asking, object: rules.get(key) ?? asking.object };
};
