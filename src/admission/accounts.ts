/** Service accounts of pods that are created: they are often made a moment before. */
import { type ServiceAccount, serviceAccounts } from '../api/resources.ts';
import { type KubeClient, orNothing } from '../kube/client.ts';
import type { Store } from '../kube/store.ts';

/** The account of that name; undefined where there is none. */
export type Account = (namespace: string, name: string) => Promise<ServiceAccount | undefined>;

/** Accounts from a store. One that the watch has not brought yet is asked for. */
export const accountFrom =
  (client: Pick<KubeClient, 'get'>, store: Pick<Store<ServiceAccount>, 'get'>): Account =>
  async (namespace, name) =>
    store.get(`${namespace}/${name}`) ?? orNothing(client.get(serviceAccounts, { namespace, name }));
