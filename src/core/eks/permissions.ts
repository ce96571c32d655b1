/** What a key may do: action names and clusters, with the wildcards of selectors. */
import { compile } from '../profile/wildcard.ts';

/** Permissions of a key or a role. Patterns know `*` and `?`. */
export interface Permissions {
  /** Such as `eks:*` or `eks:Describe*`. */
  readonly actions: readonly string[];
  /** Names of clusters. */
  readonly clusters: readonly string[];
}

/** Needs no permission, as in IAM: who somebody is, they may always know. */
const FREE = new Set(['sts:GetCallerIdentity']);

/**
 * Whether an action is allowed.
 * @param cluster the cluster it is about; undefined for actions about none, such as listing
 */
export const mayDo = (
  { actions, clusters }: Permissions,
  action: string,
  cluster: string | undefined,
): boolean =>
  FREE.has(action) ||
  (actions.some((pattern) => compile(pattern)(action)) &&
    (cluster === undefined || clusters.some((pattern) => compile(pattern)(cluster))));
