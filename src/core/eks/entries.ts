/**
 * Access entries: who is what to the cluster, for tools that look there and not into `aws-auth` (spec/fargate.md
 * §1.8). They are made of profiles and mapping and stored nowhere.
 */
import { tenHex } from '../hash.ts';
import { mayLaunch, NODE_MAPPING } from '../roles/mapping.ts';
import { type Account, parseRole } from './arn.ts';
import type { Refusal } from './errors.ts';

/** The entry of a pod execution role. */
export interface AccessEntry {
  readonly principalArn: string;
  readonly accessEntryArn: string;
  readonly kubernetesGroups: readonly string[];
  readonly username: string;
  /** When the first of the profiles that have the role was made, RFC 3339. */
  readonly since: string;
}

/** What is read of a profile. */
interface ProfileWithRole {
  readonly metadata: { readonly creationTimestamp?: string };
  readonly spec: { readonly podExecutionRoleArn?: string };
}

/** A UUID that is always the same for a text. */
const uuidOf = (text: string): string =>
  ['a', 'b', 'c', 'd']
    .map((salt) => tenHex(`${salt}/${text}`))
    .join('')
    .replace(/^(.{8})(.{4})(.{4})(.{4})(.{12}).*$/, '$1-$2-$3-$4-$5');

const entryArn = (arn: string, cluster: string, { partition, region, account }: Account): string => {
  const role = parseRole(arn);
  const path = `${cluster}/role/${role?.account}/${role?.name}`;
  return `arn:${partition}:eks:${region}:${account}:access-entry/${path}/${uuidOf(`${cluster}/${arn}`)}`;
};

/** An entry for each role that a profile has and that nodes may be launched with, as `aws-auth` maps it. */
export const accessEntries = (
  profiles: readonly ProfileWithRole[],
  mapRoles: readonly unknown[],
  cluster: string,
  account: Account,
): readonly AccessEntry[] => {
  const since = new Map<string, string>();
  for (const { metadata, spec } of profiles) {
    const arn = spec.podExecutionRoleArn;
    const made = metadata.creationTimestamp ?? '';
    if (arn !== undefined && made < (since.get(arn) ?? '~')) since.set(arn, made);
  }
  return [...since]
    .filter(([arn]) => mayLaunch(mapRoles, arn))
    .map(([arn, made]) => ({
      principalArn: arn,
      accessEntryArn: entryArn(arn, cluster, account),
      kubernetesGroups: NODE_MAPPING.groups,
      username: NODE_MAPPING.username,
      since: made,
    }));
};

/** The refusal for a principal without an entry, in the text of the original. */
export const noEntry = (clusterName: string): Refusal => ({
  type: 'ResourceNotFoundException',
  message:
    "The specified principalArn could not be found. You can view your available access entries with 'list-access-entries'.",
  members: { clusterName },
});
