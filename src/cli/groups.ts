/** Security groups and their policies as `plan` knows them: read from the API server, or told by files. */
import { type MicroVM, machineOf } from '../api/micro-vm.ts';
import type { Network } from '../api/network.ts';
import type { PrefixList } from '../api/prefix-list.ts';
import {
  pods,
  prefixLists,
  type ServiceAccount,
  securityGroupPolicies,
  securityGroups,
  serviceAccounts,
} from '../api/resources.ts';
import type { SecurityGroup } from '../api/security-group.ts';
import type { SecurityGroupPolicy } from '../api/security-group-policy.ts';
import { worldOf } from '../core/firewall/world.ts';
import { lacksOf, requirementsOf } from '../core/groups/lacks.ts';
import type { GroupKnowledge } from '../core/plan/plan.ts';
import { type KubeClient, orNone } from '../kube/client.ts';

/** The objects that tell of groups. */
export interface GroupObjects {
  readonly groups: readonly SecurityGroup[];
  readonly prefixLists: readonly PrefixList[];
  readonly policies: readonly SecurityGroupPolicy[];
  readonly accounts: readonly ServiceAccount[];
  /** Addresses of cluster DNS. */
  readonly dns: readonly string[];
}

/** Labels of cluster DNS, as every distribution sets them (Kubernetes documentation "Customizing DNS Service"). */
const DNS = { namespace: 'kube-system', labelSelector: 'k8s-app=kube-dns' };

/** Reads the cluster. @throws ApiError, ConnectionError */
export const liveGroups = async (client: KubeClient): Promise<GroupObjects> => {
  const [groups, lists, policies, dns] = await Promise.all([
    client.list(securityGroups),
    client.list(prefixLists),
    orNone(client.list(securityGroupPolicies)),
    client.list(pods, DNS),
  ]);
  const byAccount = policies.some(({ spec }) => spec?.serviceAccountSelector != null);
  return {
    groups,
    prefixLists: lists,
    policies,
    accounts: byAccount ? await client.list(serviceAccounts) : [],
    dns: dns.flatMap(({ status }) => status?.podIP ?? []),
  };
};

const inNamespace =
  (namespace: string) =>
  ({ metadata }: { readonly metadata: { readonly namespace?: string } }): boolean =>
    (metadata.namespace ?? 'default') === namespace;

/** What the objects tell. Without a network nobody knows what nodes need, and groups lack nothing. */
export const knowledge = (
  {
    groups,
    prefixLists: lists,
    policies,
    accounts,
    dns,
    machines,
  }: GroupObjects & { readonly machines: readonly MicroVM[] },
  network: Network | undefined,
): GroupKnowledge => {
  const world =
    network &&
    worldOf({
      machines: machines.map(machineOf),
      pods: [],
      namespaces: [],
      groups,
      prefixLists: lists,
      policies: [],
      network: network.spec,
    });
  return {
    policies: (namespace) => policies.filter(inNamespace(namespace)),
    account: (namespace, name) =>
      accounts.filter(inNamespace(namespace)).find(({ metadata }) => metadata.name === name)?.metadata
        .labels ?? {},
    lacks: (names) =>
      world === undefined || network === undefined
        ? []
        : lacksOf(
            names.length > 0 ? names : [network.spec.clusterSecurityGroup],
            requirementsOf(network, dns),
            world,
          ),
  };
};
