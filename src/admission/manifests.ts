/** Everything that is installed into a cluster, in an order in which each object can stand. */
import { definitionOf, KINDS } from '../api/crds.ts';
import { guardManifests } from '../api/manifests/guard.ts';
import { rbacManifests } from '../api/manifests/rbac.ts';
import { mutatingConfiguration, validatingConfiguration, type WebhookAddress } from './configuration.ts';

/** CRDs, access rules, the guard of our nodes, and the webhooks last. */
export const installManifests = (address: WebhookAddress): readonly object[] => [
  ...KINDS.map(definitionOf),
  ...rbacManifests(),
  ...guardManifests(),
  mutatingConfiguration(address),
  validatingConfiguration(address),
];
