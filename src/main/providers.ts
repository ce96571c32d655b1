/** Makes the compute provider that the configuration names. */
import { existsSync } from 'node:fs';
import { basename } from 'node:path';
import { fakeProvider } from '../compute/fake/provider.ts';
import { localProvider } from '../compute/local/provider.ts';
import type { Provider } from '../compute/provider.ts';
import { openImage } from '../guest/image.ts';
import type { ControllerConfig } from './config.ts';

/** A provider, and the name of the guest image that new machines get. */
export interface ChosenProvider {
  readonly provider: Provider;
  readonly image: string;
}

/** @throws Error when the guest image is not where the configuration says */
export const providerOf = ({ provider: chosen }: ControllerConfig): ChosenProvider => {
  if (chosen.kind === 'fake') {
    return { provider: fakeProvider(chosen.directory, chosen.capacity), image: 'fake' };
  }
  if (!existsSync(chosen.image)) {
    throw new Error(`there is no guest image at ${chosen.image}: build it with \`./tool up\``);
  }
  const image = openImage(chosen.image, basename(chosen.image));
  const { cluster, directory, router, acceleration, capacity } = chosen;
  const room = capacity === undefined ? {} : { capacity };
  return {
    provider: localProvider({ cluster, directory, router, acceleration, image, ...room }),
    image: image.hash,
  };
};
