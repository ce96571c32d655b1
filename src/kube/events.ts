/** Events: what people read under `kubectl describe`. */
import { createHash } from 'node:crypto';
import type { ObjectReference } from 'kubernetes-types/core/v1.js';
import { type Event, events } from '../api/resources.ts';
import { isAlreadyExists, isConflict, type KubeClient } from './client.ts';

/** The object that an event is about. */
interface Regarding {
  readonly apiVersion: string;
  readonly kind: string;
  readonly name: string;
  readonly namespace?: string;
  readonly uid: string;
}

export interface EventRecorder {
  /**
   * Records that something happened to an object. The same event again counts up the one that exists, also
   * when another process or an earlier run wrote it.
   * @param reason one CamelCase word
   * @param message one sentence
   * @throws ApiError, ConnectionError
   */
  event(regarding: Regarding, type: 'Normal' | 'Warning', reason: string, message: string): Promise<void>;
}

/** Attempts to count up an event that others count up at the same time. */
const ATTEMPTS = 5;

/** @param component what reports, shown by kubectl in the column "From" */
export const eventRecorder = (client: KubeClient, component: string): EventRecorder => ({
  event: async (regarding, type, reason, message) => {
    const now = wholeSeconds(new Date());
    const event: Event = {
      apiVersion: 'v1',
      kind: 'Event',
      metadata: {
        // Events about cluster-scoped objects live in `default`: the API server accepts no other place.
        namespace: regarding.namespace ?? 'default',
        name: nameOf(regarding.name, [component, regarding.uid, type, reason, message]),
      },
      involvedObject: regarding as ObjectReference,
      type,
      reason,
      message,
      count: 1,
      firstTimestamp: now,
      lastTimestamp: now,
      source: { component },
      reportingComponent: component,
    };
    try {
      await client.create(events, event);
    } catch (error) {
      if (!isAlreadyExists(error)) throw error;
      await countUp(client, event);
    }
  },
});

const countUp = async (client: KubeClient, { metadata, lastTimestamp }: Event): Promise<void> => {
  const { namespace = '', name = '' } = metadata;
  for (let attempt = 1; ; attempt++) {
    const known = await client.get(events, { namespace, name });
    try {
      await client.replace(events, {
        ...known,
        count: (known.count ?? 1) + 1,
        ...(lastTimestamp && { lastTimestamp }),
      });
      return;
    } catch (error) {
      if (!isConflict(error) || attempt === ATTEMPTS) throw error;
    }
  }
};

/** `<object>.<16 hex digits>`: one name for all repetitions of an event, within the 253 characters of names. */
const nameOf = (object: string, identity: readonly (string | undefined)[]): string => {
  const hash = createHash('sha256').update(JSON.stringify(identity)).digest('hex').slice(0, 16);
  return `${object.slice(0, 253 - 17).replace(/[.-]+$/, '')}.${hash}`;
};

/** The form of meta/v1 `Time`, which has no fractions. */
const wholeSeconds = (date: Date): string => date.toISOString().replace(/\.\d+Z$/, 'Z');
