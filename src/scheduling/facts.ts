/** Publishes what the scheduler decides by and only this process knows, for `plan` (core/facts.ts). */
import type { Logger } from 'pino';
import { configMaps } from '../api/resources.ts';
import type { Provider } from '../compute/provider.ts';
import { FACTS, type Facts, factsData } from '../core/facts.ts';
import type { KubeClient } from '../kube/client.ts';
import { type Controller, runController } from '../kube/controller.ts';

/** How often to look whether the room of the hosts has changed. */
const AGAIN_MS = 60_000;

/** Starts publishing. Gives the way to stop it. */
export const publishFacts = (context: {
  readonly client: KubeClient;
  readonly provider: Provider;
  readonly settings: Omit<Facts, 'capacity'>;
  readonly log: Logger;
}): Pick<Controller, 'stop'> => {
  const { client, provider, settings, log } = context;
  let published = '';
  const controller = runController({
    name: 'facts',
    workers: 1,
    reconcile: async () => {
      const data = factsData({ ...settings, capacity: await provider.capacity() });
      if (JSON.stringify(data) !== published) {
        const object = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { ...FACTS }, data };
        await client.patch(configMaps, FACTS, object, { type: 'apply', force: true });
        published = JSON.stringify(data);
      }
      return { again: AGAIN_MS };
    },
    log,
  });
  controller.enqueue(FACTS.name);
  return controller;
};
