/** Tells people, by events, what cannot be balanced as they wrote it. */
import type { Problem } from '../core/balancing/model.ts';
import { isRefusal } from '../kube/client.ts';
import type { EventRecorder } from '../kube/events.ts';
import type { BalancingContext } from './context.ts';
import { type Asking, current } from './objects.ts';

/** Reasons of the original's controller. */
const BUILD_FAILED = 'FailedBuildModel';
/** Everything is served, but something asked for does nothing. */
const NO_EFFECT = 'NoEffect';
const SUCCESS = 'SuccessfullyReconciled';

/** The component of the events: as kubectl shows it in the column "From". */
export const BALANCER_COMPONENT = 'cloister-balancer';

const API_VERSIONS = { Service: 'v1', Ingress: 'networking.k8s.io/v1' } as const;

type Regarding = Parameters<EventRecorder['event']>[0];

const regarding = ({ kind, namespace, name }: Problem['origin'], uid: string): Regarding => ({
  apiVersion: API_VERSIONS[kind],
  ...{ kind, namespace, name, uid },
});

/** Problems that were told, so that each is told once for as long as it lasts. */
export interface Complaints {
  tell(problems: readonly Problem[], context: BalancingContext): Promise<void>;
}

const uidOf = ({ kind, namespace, name }: Problem['origin'], context: BalancingContext): string | undefined =>
  (kind === 'Service' ? context.services : context.ingresses).get(`${namespace}/${name}`)?.metadata.uid;

/** A namespace that is being deleted takes no more events, and that keeps nobody else from being balanced. */
const tellIfAllowed = async (
  about: Regarding,
  reason: string,
  message: string,
  context: BalancingContext,
): Promise<void> => {
  try {
    await context.events.event(about, 'Warning', reason, message);
  } catch (cause) {
    if (!isRefusal(cause)) throw cause;
    context.log.warn({ ...about, err: cause }, 'an event is refused');
  }
};

/** Keeps what was told. A restart tells again, which counts up the events that exist. */
export const complaints = (): Complaints => {
  let told = new Set<string>();
  return {
    tell: async (problems, context) => {
      const now = new Set<string>();
      for (const { origin, message, harmless } of problems) {
        const uid = uidOf(origin, context);
        if (uid === undefined) continue;
        const key = `${uid} ${message}`;
        if (!told.has(key)) {
          context.log.info({ ...origin, message }, harmless ? 'no effect' : 'not balanced');
          await tellIfAllowed(regarding(origin, uid), harmless ? NO_EFFECT : BUILD_FAILED, message, context);
        }
        now.add(key);
      }
      told = now;
    },
  };
};

/** Tells that an object has its balancer. */
export const tellSuccess = async (asking: Asking, context: BalancingContext): Promise<void> => {
  const { uid = '' } = current(asking, context).object.metadata;
  await context.events.event(regarding(asking.origin, uid), 'Normal', SUCCESS, 'Successfully reconciled');
};
