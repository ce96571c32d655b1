import { ProviderError } from '../compute/provider.ts';
import { type StageOfLife, settled, waiting } from './context.ts';

/** Launched: the provider has made namespace, filter and directory, and the virtual machine is starting. */
export const launch: StageOfLife = {
  stage: 'Launched',
  advance: async ({ machine, seen }, { provider }) => {
    if (seen.state === 'running') return settled;
    try {
      await provider.ensure(machine);
      return settled;
    } catch (cause) {
      if (!(cause instanceof ProviderError && cause.kind === 'out-of-capacity')) throw cause;
      return waiting('OutOfCapacity', cause.message, 5_000);
    }
  },
};
