import { seedFiles } from '../compute/render/seed.ts';
import { nodeNameOf } from '../core/machine/node.ts';
import { type StageOfLife, settled, waiting } from './context.ts';
import { credentials } from './credentials.ts';
import { whenLeaving } from './leaving.ts';

/**
 * Booted: the guest has taken its seed. Certificates and token are asked for while its kernel starts, and
 * exist nowhere but in the guest; names and passwords of registries are in Secrets, too. A guest that nobody needs
 * any more is not waited for.
 */
export const boot: StageOfLife = {
  stage: 'Booted',
  advance: async ({ machine, seen }, context) => {
    if (seen.state === 'running' && seen.seeded) return settled;
    const seed = seedFiles({
      machine,
      nodeName: nodeNameOf(machine),
      cluster: context.cluster,
      credentials: await credentials(machine, context),
    });
    const leaving = whenLeaving(machine, context);
    try {
      await context.provider.feed(machine, seed, leaving.signal);
      return settled;
    } catch (cause) {
      if (cause !== leaving.signal.reason) throw cause;
      return waiting('PodLeaving', (leaving.signal.reason as Error).message, 0);
    } finally {
      leaving.stop();
    }
  },
};
