/** What clients ask about clusters; there is one. */
import { noCluster } from '../core/eks/create.ts';
import type { Refusal } from '../core/eks/errors.ts';
import { readClusterTags } from './cluster-tags.ts';
import type { EksContext } from './context.ts';
import { describeCluster, describeVersion } from './describe.ts';
import { pageFor, parameter, RefusedError } from './http.ts';
import type { EksInstance } from './instance.ts';
import {
  ClusterAnswer,
  ClusterPath,
  ClustersAnswer,
  PageQuery,
  responses,
  VersionsAnswer,
  VersionsQuery,
} from './schemas.ts';

/** Enumerations of DescribeClusterVersions, as the service model has them. */
const STATUSES = ['unsupported', 'standard-support', 'extended-support'];
const VERSION_STATUSES = ['UNSUPPORTED', 'STANDARD_SUPPORT', 'EXTENDED_SUPPORT'];

const many = (value: string | readonly string[] | undefined): readonly string[] =>
  value === undefined ? [] : typeof value === 'string' ? [value] : value;

/** Refuses a value that is none of an enumeration. */
const notOneOf = (name: string, value: string | undefined, all: readonly string[]): Refusal | undefined =>
  value === undefined || all.includes(value)
    ? undefined
    : {
        type: 'InvalidParameterException',
        message: `${name} must be one of ${all.join(', ')}, and not ${value}`,
      };

export const clusterRoutes = (server: EksInstance, context: EksContext): void => {
  const { cluster } = context;

  server.get(
    '/clusters',
    {
      config: { action: 'eks:ListClusters' },
      schema: { operationId: 'ListClusters', querystring: PageQuery, response: responses(ClustersAnswer) },
    },
    async ({ query }) => {
      const { items, nextToken } = pageFor('ListClusters', [cluster.name], (name) => name, query);
      return { clusters: [...items], nextToken };
    },
  );

  server.get(
    '/clusters/:name',
    {
      config: { action: 'eks:DescribeCluster' },
      schema: { operationId: 'DescribeCluster', params: ClusterPath, response: responses(ClusterAnswer) },
    },
    async ({ params: { name } }) => {
      if (name !== cluster.name) throw new RefusedError(noCluster(name));
      return describeCluster(context, await readClusterTags(context.client));
    },
  );

  server.get(
    '/cluster-versions',
    {
      config: { action: 'eks:DescribeClusterVersions' },
      schema: {
        operationId: 'DescribeClusterVersions',
        querystring: VersionsQuery,
        response: responses(VersionsAnswer),
      },
    },
    async ({ query }) => {
      const status = parameter(query.status);
      const versionStatus = parameter(query.versionStatus);
      const wrong =
        notOneOf('status', status, STATUSES) ?? notOneOf('versionStatus', versionStatus, VERSION_STATUSES);
      if (wrong !== undefined) throw new RefusedError(wrong);
      const wanted = many(query.clusterVersions);
      const type = parameter(query.clusterType);
      const versions = [describeVersion(cluster)].filter(
        (one) =>
          (wanted.length === 0 || wanted.includes(one.clusterVersion)) &&
          (type === undefined || type === one.clusterType) &&
          (status === undefined || status === one.status) &&
          (versionStatus === undefined || versionStatus === one.versionStatus),
      );
      const nameOf = (one: (typeof versions)[number]): string => one.clusterVersion;
      const { items, nextToken } = pageFor('DescribeClusterVersions', versions, nameOf, query);
      return { clusterVersions: [...items], nextToken };
    },
  );
};
