import type { Machine } from '../core/machine/machine.ts';
import type { Context } from './context.ts';

/**
 * A signal that is aborted when the machine's pod is being deleted or gone. A pass that waits for a guest would
 * not see it before the guest answers.
 */
export const whenLeaving = (
  { pod: { namespace, name, uid } }: Machine,
  { pods }: Pick<Context, 'pods'>,
): { readonly signal: AbortSignal; readonly stop: () => void } => {
  const leaving = new AbortController();
  const look = (): void => {
    const pod = pods.get(`${namespace}/${name}`);
    const stays = pod?.metadata.uid === uid && pod.metadata.deletionTimestamp === undefined;
    if (!stays) leaving.abort(new Error(`pod ${namespace}/${name} is being deleted`));
  };
  const stop = pods.onChange(look);
  look();
  return { signal: leaving.signal, stop };
};
