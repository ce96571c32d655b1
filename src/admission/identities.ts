/** Roles of service accounts, where the upstream webhook does not give them already (spec/fargate.md §7). */

import type { MutatingWebhookConfiguration, ServiceAccount } from '../api/resources.ts';
import { type IrsaDefaults, irsaPatch } from '../core/irsa/patch.ts';
import type { PatchOperation } from '../core/json-patch.ts';
import { IDENTITY_WEBHOOK } from '../core/names.ts';
import type { Pod } from '../core/pod.ts';
import type { Store } from '../kube/store.ts';

/** Gives pods what they need to take the role of their service account. */
export interface Identities {
  /** The patch for a pod, empty when it has no role to take. */
  patch(pod: Pod, namespace: string): Promise<readonly PatchOperation[]>;
}

/** How long to wait for a service account that the watch has not brought yet, in milliseconds (§7). */
const GRACE_MS = 100;

/** What identities are read from. */
export interface IdentitySources {
  readonly accounts: Pick<Store<ServiceAccount>, 'get' | 'onChange'>;
  readonly webhooks: Pick<Store<MutatingWebhookConfiguration>, 'get'>;
  readonly defaults: IrsaDefaults;
}

/** Identities from stores, which must be synced. A service account that stays unknown gives no role. */
export const identitiesFrom = ({ accounts, webhooks, defaults }: IdentitySources): Identities => ({
  patch: async (pod, namespace) => {
    if (webhooks.get(IDENTITY_WEBHOOK) !== undefined) return [];
    const account = await known(`${namespace}/${pod.spec.serviceAccountName || 'default'}`, accounts);
    return account === undefined ? [] : irsaPatch(pod, account.metadata.annotations ?? {}, defaults);
  },
});

/** A pod is often created right after its service account, which the watch brings a moment later. */
const known = async (
  key: string,
  accounts: IdentitySources['accounts'],
): Promise<ServiceAccount | undefined> => {
  const found = accounts.get(key);
  if (found !== undefined) return found;
  return new Promise((resolve) => {
    const settle = (): void => {
      clearTimeout(limit);
      unsubscribe();
      resolve(accounts.get(key));
    };
    const limit = setTimeout(settle, GRACE_MS);
    const unsubscribe = accounts.onChange((changed) => {
      if (changed === key) settle();
    });
  });
};
