/** Keeps what is addressed to the VPC's own networks within them, also to those that it gets while running. */
import type { Logger } from 'pino';
import type { Network } from '../api/network.ts';
import type { Provider } from '../compute/provider.ts';
import { NETWORK } from '../core/net/network.ts';
import { type Controller, done, runController } from '../kube/controller.ts';
import type { Store } from '../kube/store.ts';

/** Starts enclosing the networks of the Network object. Gives the way to stop; they stay enclosed. */
export const runEnclosure = (context: {
  readonly networks: Pick<Store<Network>, 'get' | 'onChange'>;
  readonly provider: Pick<Provider, 'enclose'>;
  readonly log: Logger;
}): Pick<Controller, 'stop'> => {
  const { networks, provider, log } = context;
  const controller = runController({
    name: 'enclosure',
    workers: 1,
    reconcile: async (name) => {
      const network = networks.get(name);
      if (network !== undefined) await provider.enclose(network.spec.cidrs);
      return done;
    },
    log,
  });
  const unsubscribe = networks.onChange((name) => controller.enqueue(name));
  controller.enqueue(NETWORK);
  return {
    stop: async () => {
      unsubscribe();
      await controller.stop();
    },
  };
};
