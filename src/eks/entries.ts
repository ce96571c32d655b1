/** Access entries, for reading only: they come with profiles and go with them. */
import { noCluster } from '../core/eks/create.ts';
import { type AccessEntry, accessEntries, noEntry } from '../core/eks/entries.ts';
import type { EksContext } from './context.ts';
import { seconds } from './describe.ts';
import { orRefuse, pageFor, parameter, RefusedError } from './http.ts';
import type { EksInstance } from './instance.ts';
import {
  AssociatedPoliciesAnswer,
  ClusterPath,
  EntriesAnswer,
  EntriesQuery,
  EntryAnswer,
  EntryPath,
  PageQuery,
  responses,
} from './schemas.ts';

const describeEntry = ({ since, ...entry }: AccessEntry, clusterName: string) => ({
  ...entry,
  clusterName,
  type: 'FARGATE_LINUX' as const,
  kubernetesGroups: [...entry.kubernetesGroups],
  createdAt: seconds(since),
  modifiedAt: seconds(since),
  tags: {},
});

export const entryRoutes = (server: EksInstance, context: EksContext): void => {
  const { cluster, account, profiles, mapRoles } = context;
  const entries = (name: string): readonly AccessEntry[] => {
    if (name !== cluster.name) throw new RefusedError(noCluster(name));
    return accessEntries(profiles.list(), mapRoles(), cluster.name, account);
  };
  const entryOf = (name: string, principal: string): AccessEntry =>
    orRefuse(entries(name).find(({ principalArn }) => principalArn === principal) ?? noEntry(name));

  server.get(
    '/clusters/:name/access-entries',
    {
      config: { action: 'eks:ListAccessEntries' },
      schema: {
        operationId: 'ListAccessEntries',
        params: ClusterPath,
        querystring: EntriesQuery,
        response: responses(EntriesAnswer),
      },
    },
    async ({ params, query }) => {
      // Entries of nodes have no access policies, so none is associated with any.
      const all = parameter(query.associatedPolicyArn) === undefined ? entries(params.name) : [];
      const { items, nextToken } = pageFor(
        'ListAccessEntries',
        all,
        ({ principalArn }) => principalArn,
        query,
      );
      return { accessEntries: items.map(({ principalArn }) => principalArn), nextToken };
    },
  );

  server.get(
    '/clusters/:name/access-entries/:principalArn',
    {
      config: { action: 'eks:DescribeAccessEntry' },
      schema: { operationId: 'DescribeAccessEntry', params: EntryPath, response: responses(EntryAnswer) },
    },
    async ({ params: { name, principalArn } }) => ({
      accessEntry: describeEntry(entryOf(name, principalArn), name),
    }),
  );

  server.get(
    '/clusters/:name/access-entries/:principalArn/access-policies',
    {
      config: { action: 'eks:ListAssociatedAccessPolicies' },
      schema: {
        operationId: 'ListAssociatedAccessPolicies',
        params: EntryPath,
        querystring: PageQuery,
        response: responses(AssociatedPoliciesAnswer),
      },
    },
    async ({ params: { name, principalArn }, query }) => {
      const entry = entryOf(name, principalArn);
      const none: readonly string[] = [];
      const { nextToken } = pageFor('ListAssociatedAccessPolicies', none, (policy) => policy, query);
      return {
        clusterName: name,
        principalArn: entry.principalArn,
        associatedAccessPolicies: [],
        nextToken,
      };
    },
  );
};
