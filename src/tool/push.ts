/** `./tool push`: an image from a file into the cluster's registry. */
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { openImage } from '../cluster/archive.ts';
import { findCluster } from '../cluster/cluster.ts';
import { places, REGISTRY } from '../cluster/plan.ts';
import { parseReference, pushImage } from '../cluster/push.ts';
import { locate } from './settings.ts';

/** The command: prints the reference to use in a manifest. @throws Error when the image or its name is none */
export const push = async (
  flags: { readonly name: string },
  source: string,
  reference: string,
): Promise<void> => {
  const { name, state } = locate(flags.name);
  const { registry } = findCluster(name, state);
  const target = parseReference(reference);
  const scratch = mkdtempSync(join(places(state).images, 'push-'));
  try {
    await pushImage(registry, await openImage(source, scratch), `${target.name}:${target.tag}`);
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
  process.stdout.write(`${REGISTRY}/${target.name}:${target.tag}\n`);
};
