/** Roles of service accounts, where the upstream webhook does not give them already (spec/fargate.md §7). */

import type { MutatingWebhookConfiguration } from '../api/resources.ts';
import { type IrsaDefaults, irsaPatch } from '../core/irsa/patch.ts';
import type { PatchOperation } from '../core/json-patch.ts';
import { IDENTITY_WEBHOOK } from '../core/names.ts';
import type { Pod } from '../core/pod.ts';
import type { Store } from '../kube/store.ts';
import type { Account } from './accounts.ts';

/** Gives pods what they need to take the role of their service account. */
export interface Identities {
  /** The patch for a pod, empty when it has no role to take. */
  patch(pod: Pod, namespace: string): Promise<readonly PatchOperation[]>;
}

/** What identities are read from. */
export interface IdentitySources {
  readonly account: Account;
  readonly webhooks: Pick<Store<MutatingWebhookConfiguration>, 'get'>;
  readonly defaults: IrsaDefaults;
}

/** Identities from sources; stores among them must be synced. A service account that does not exist gives no role. */
export const identitiesFrom = ({ account, webhooks, defaults }: IdentitySources): Identities => ({
  patch: async (pod, namespace) => {
    if (webhooks.get(IDENTITY_WEBHOOK) !== undefined) return [];
    const found = await account(namespace, pod.spec.serviceAccountName || 'default');
    return found === undefined ? [] : irsaPatch(pod, found.metadata.annotations ?? {}, defaults);
  },
});
