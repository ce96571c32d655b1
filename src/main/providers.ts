/** Makes the compute provider that the configuration names. */
import { existsSync } from 'node:fs';
import { basename } from 'node:path';
import { fakeProvider } from '../compute/fake/provider.ts';
import type { Site } from '../compute/local/prepare.ts';
import { localProvider } from '../compute/local/provider.ts';
import type { Provider } from '../compute/provider.ts';
import { openImage } from '../guest/image.ts';
import type { ControllerConfig } from './config.ts';

/** A provider, and the name of the guest image that new machines get. */
export interface ChosenProvider {
  readonly provider: Provider;
  readonly image: string;
}

type Chosen = ControllerConfig['provider'];

/** @throws Error when the guest image is not where the configuration says */
export const providerOf = ({ provider: chosen }: Pick<ControllerConfig, 'provider'>): ChosenProvider => {
  if (chosen.kind === 'fake') {
    return { provider: fakeProvider(chosen.directory, chosen.capacity), image: 'fake' };
  }
  const site = siteOf(chosen);
  const room = chosen.capacity === undefined ? {} : { capacity: chosen.capacity };
  return { provider: localProvider({ ...site, ...room }), image: site.image.hash };
};

/** Where a local provider makes its machines. @throws Error when there is no guest image */
export const siteOf = (chosen: Extract<Chosen, { kind: 'local' }>): Site => {
  if (!existsSync(chosen.image)) {
    throw new Error(`there is no guest image at ${chosen.image}: build it with \`./tool up\``);
  }
  const { cluster, directory, router, acceleration } = chosen;
  return { cluster, directory, router, acceleration, image: openImage(chosen.image, basename(chosen.image)) };
};
