/** `./tool down`: nothing of the cluster is left but the cache. */
import { existsSync } from 'node:fs';
import { clusterNamespaces, stopCluster } from '../cluster/stop.ts';
import { step } from '../host/progress.ts';
import { display } from './progress.ts';
import { locate } from './settings.ts';

/** The command. */
export const down = async (flags: { readonly name: string }): Promise<void> => {
  const { name, state } = locate(flags.name);
  if (process.getuid?.() !== 0) throw new Error('not root: only root can take a cluster down (sudo)');
  if (!existsSync(state) && clusterNamespaces(name).length === 0) {
    process.stdout.write(`There is no cluster ${name}.\n`);
    return;
  }
  const shown = display();
  try {
    await step(shown.onProgress, `take ${name} down`, () => stopCluster({ name, state }));
  } finally {
    shown.stop();
  }
};
