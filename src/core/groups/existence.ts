/** Security groups that are named and do not exist, and those that exist and cannot go (spec/fargate.md §6.1). */

/**
 * The text of the original for a group that does not exist: its scheduler cannot make the network interface.
 * @returns undefined when all exist
 */
export const missingGroup = (
  groups: readonly string[],
  exists: (group: string) => boolean,
): string | undefined => {
  const missing = groups.find((group) => !exists(group));
  return missing === undefined
    ? undefined
    : `An error occurred (InvalidSecurityGroupID.NotFound) when calling the CreateNetworkInterface operation: The securityGroup ID '${missing}' does not exist`;
};

/** What is read of the objects that can depend on a security group or prefix list. */
export interface Dependents {
  readonly machines: readonly {
    readonly spec: {
      readonly pod: { readonly namespace: string; readonly name: string };
      /** None means the cluster security group. */
      readonly securityGroups: readonly string[];
    };
  }[];
  readonly groups: readonly {
    readonly metadata: { readonly name: string };
    readonly spec: { readonly ingress?: readonly Peers[]; readonly egress?: readonly Peers[] };
  }[];
  /** The cluster security group, where there is a network that names one. */
  readonly clusterGroup: string | undefined;
}

interface Peers {
  readonly peers: readonly { readonly group?: string; readonly prefixList?: string }[];
}

/** A rule of the group itself does not keep it. */
const groupsThatName = (kind: 'group' | 'prefixList', name: string, groups: Dependents['groups']) =>
  groups
    .filter(({ metadata }) => kind === 'prefixList' || metadata.name !== name)
    .filter(({ spec }) =>
      [...(spec.ingress ?? []), ...(spec.egress ?? [])].some(({ peers }) =>
        peers.some((peer) => peer[kind] === name),
      ),
    )
    .map(({ metadata }) => `security group ${metadata.name}`);

/** What uses a security group, in words: pods, other groups, the network. */
export const dependentsOfGroup = (
  name: string,
  { machines, groups, clusterGroup }: Dependents,
): readonly string[] => [
  ...(name === clusterGroup ? ['the network'] : []),
  ...groupsThatName('group', name, groups),
  ...machines
    .filter(({ spec }) =>
      spec.securityGroups.length === 0 ? name === clusterGroup : spec.securityGroups.includes(name),
    )
    .map(({ spec }) => `pod ${spec.pod.namespace}/${spec.pod.name}`),
];

/** What uses a prefix list, in words. */
export const dependentsOfList = (name: string, { groups }: Pick<Dependents, 'groups'>): readonly string[] =>
  groupsThatName('prefixList', name, groups);

/** As many dependents are named; the others are counted. */
const NAMED = 3;

/**
 * Why an object that others use cannot be deleted, in the words of EC2 and by whose use; undefined when nobody
 * uses it.
 * @param operation of the EC2 API, such as `DeleteSecurityGroup`
 */
export const dependencyViolation = (
  operation: string,
  name: string,
  dependents: readonly string[],
): string | undefined => {
  if (dependents.length === 0) return undefined;
  const more = dependents.length > NAMED ? ` and ${dependents.length - NAMED} more` : '';
  const who = `${dependents.slice(0, NAMED).join(', ')}${more}`;
  return `An error occurred (DependencyViolation) when calling the ${operation} operation: resource ${name} has a dependent object: ${who}`;
};
