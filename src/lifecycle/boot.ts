import { seedFiles } from '../compute/render/seed.ts';
import { nodeNameOf } from '../core/machine/node.ts';
import { type StageOfLife, settled, waiting } from './context.ts';
import { credentials } from './credentials.ts';
import type { Deliveries } from './deliveries.ts';
import type { Renewals } from './renew.ts';

/**
 * Booted: the guest has taken its seed. Certificates and token are asked for while its kernel starts, and
 * exist nowhere but in the guest; names and passwords of registries are in Secrets, too.
 */
export const bootWith = (seeds: Deliveries, renewals: Renewals): StageOfLife => ({
  stage: 'Booted',
  advance: async ({ machine, seen }, context) => {
    if (seen.state === 'running' && seen.seeded) return settled;
    seeds.begin(machine.name, async () => {
      const seed = seedFiles({
        machine,
        nodeName: nodeNameOf(machine),
        cluster: context.cluster,
        credentials: await credentials(machine, context),
      });
      await context.provider.feed(machine, seed);
      renewals.issued(machine.name, context.now());
    });
    return waiting('GuestStarting', 'the guest has not taken its seed yet', 5_000);
  },
});
