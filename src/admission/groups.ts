/**
 * Security groups of pods, where the upstream webhooks do not give them already: the two webhooks of
 * spec/fargate.md §6.1, with their texts.
 */
import type { Logger } from 'pino';
import { type MutatingWebhookConfiguration, securityGroupPolicies } from '../api/resources.ts';
import type { SecurityGroupPolicy } from '../api/security-group-policy.ts';
import { carries, groupsPatch, sameGroups } from '../core/groups/annotation.ts';
import {
  counts,
  groupsFrom,
  isFargatePod,
  matchingPolicies,
  tooManyGroups,
} from '../core/groups/policies.ts';
import { UPSTREAM_GROUPS_WEBHOOK } from '../core/names.ts';
import type { Pod } from '../core/pod.ts';
import { type KubeClient, orNone } from '../kube/client.ts';
import type { Store } from '../kube/store.ts';
import type { Account } from './accounts.ts';
import { type AdmissionRequest, type Answer, refuse } from './review.ts';

/** Where security groups come from. */
export interface GroupSources {
  /** Policies of a namespace; none where their kind does not exist. */
  readonly policies: (namespace: string) => Promise<readonly SecurityGroupPolicy[]>;
  readonly account: Account;
  /** Whether the upstream webhooks are installed: they alone give groups then. */
  readonly elsewhere: () => boolean;
}

/** What `groupSources` reads. */
export interface GroupStores {
  readonly client: KubeClient;
  readonly account: Account;
  readonly groupWebhooks: Pick<Store<MutatingWebhookConfiguration>, 'get'>;
  /** May never be synced: its kind can be removed. The API server is asked in its place until then. */
  readonly groupPolicies: Pick<Store<SecurityGroupPolicy>, 'list' | 'synced'>;
}

/** Sources from stores. */
export const groupSources = ({
  client,
  account,
  groupWebhooks,
  groupPolicies,
}: GroupStores): GroupSources => {
  let synced = false;
  groupPolicies.synced.then(
    () => (synced = true),
    () => {}, // stopped before; nobody asks any more
  );
  return {
    policies: async (namespace) =>
      synced
        ? groupPolicies.list().filter(({ metadata }) => metadata.namespace === namespace)
        : orNone(client.list(securityGroupPolicies, { namespace })),
    account,
    elsewhere: () => groupWebhooks.get(UPSTREAM_GROUPS_WEBHOOK) !== undefined,
  };
};

/** Texts of the original. */
const LOOKUP_FAILED = 'Failed to get Matching SGP for Pods, rejecting event';
const NOT_OURS = 'annotation is not set by mutating webhook';

/** Why the groups of a pod cannot be told. */
class MissingAccountError extends Error {
  constructor(namespace: string, name: string) {
    super(`there is no service account ${name} in namespace ${namespace}`);
    this.name = 'MissingAccountError';
  }
}

/** @throws MissingAccountError, and what the sources throw */
const groupsFor = async (
  pod: Pod,
  namespace: string,
  { policies, account }: GroupSources,
): Promise<readonly string[]> => {
  if (!isFargatePod(pod)) return [];
  const candidates = (await policies(namespace)).filter(counts);
  if (candidates.length === 0) return [];
  const name = pod.spec.serviceAccountName || 'default';
  const found = await account(namespace, name);
  if (found === undefined) throw new MissingAccountError(namespace, name);
  return groupsFrom(matchingPolicies(pod, found.metadata.labels ?? {}, candidates));
};

const podOf = ({ object }: AdmissionRequest): Pod => object as unknown as Pod;

type Decide = (pod: Pod, groups: readonly string[]) => Answer;

/** Answers by the groups that a pod's policies give; a pod whose groups cannot be told is refused. */
const byGroups =
  (sources: GroupSources, log: Logger, decide: Decide) =>
  async (request: AdmissionRequest): Promise<Answer> => {
    const pod = podOf(request);
    const namespace = request.namespace ?? pod.metadata.namespace ?? 'default';
    const name = pod.metadata.name ?? pod.metadata.generateName;
    let groups: readonly string[];
    try {
      groups = await groupsFor(pod, namespace, sources);
    } catch (cause) {
      log.error({ namespace, pod: name, err: cause }, 'security groups of a pod could not be told');
      return refuse(LOOKUP_FAILED);
    }
    const answer = decide(pod, groups);
    log.info({ namespace, pod: name, groups, allowed: answer.allowed }, 'security groups reviewed');
    return answer;
  };

/** Answers reviews of pods that are created: writes the groups of their policies into the annotation. */
export const groupsReviewer = (
  sources: GroupSources,
  log: Logger,
): ((request: AdmissionRequest) => Promise<Answer>) => {
  const give = byGroups(sources, log, (pod, groups) => {
    const problem = tooManyGroups(groups);
    return problem === undefined ? { allowed: true, patch: groupsPatch(pod, groups) } : refuse(problem);
  });
  return async (request) =>
    request.operation !== 'CREATE' || sources.elsewhere() ? { allowed: true } : give(request);
};

/**
 * Answers reviews of pods whose annotation was changed, or that come with one. At creation the groups are
 * looked up anew: the mutating webhook is fail-open, so an annotation may be the user's own.
 */
export const groupsGuard = (
  sources: GroupSources,
  log: Logger,
): ((request: AdmissionRequest) => Promise<Answer>) => {
  const check = byGroups(sources, log, (pod, groups) =>
    carries(pod, groups) ? { allowed: true } : refuse(NOT_OURS),
  );
  return async (request) => {
    if (sources.elsewhere()) return { allowed: true };
    if (request.operation === 'CREATE') return check(request);
    const before = request.oldObject as unknown as Pod | undefined;
    return before == null || sameGroups(podOf(request), before) ? { allowed: true } : refuse(NOT_OURS);
  };
};
