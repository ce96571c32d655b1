import { expect, it } from 'vitest';
import type { Pod } from '../core/pod.ts';
import { type ExplainContext, explain } from './explain.ts';

it('tells a reason once, also when the next try comes before the watch', async () => {
  const told: string[] = [];
  let pod: Pod = { metadata: { namespace: 'n', name: 'p', uid: 'u' }, spec: { containers: [] } };
  const context = {
    client: {
      patch: async (_kind: unknown, _key: unknown, { status }: Pick<Pod, 'status'>) => ({ ...pod, status }),
    },
    pods: { assume: (written: Pod) => (pod = written) },
    events: { event: async (...[, , , message]: string[]) => told.push(message ?? '') },
    now: () => new Date(0),
  } as unknown as ExplainContext;
  for (const message of ['no room', 'no room', 'no address', 'no address'])
    await explain(pod, { runs: false, reason: 'Unschedulable', message }, context);
  expect(told).toEqual(['no room', 'no address']);
});
