/** The operations on Fargate profiles. */
import type { FargateProfile } from '../api/fargate-profile.ts';
import { noCluster, noProfile } from '../core/eks/create.ts';
import type { EksContext } from './context.ts';
import { describeProfile } from './describe.ts';
import { orRefuse, pageFor, RefusedError } from './http.ts';
import type { EksInstance } from './instance.ts';
import { createProfile, deleteProfile, type Engine, storedProfile, updateProfile } from './profiles.ts';
import {
  ClusterPath,
  CreateBody,
  PageQuery,
  ProfileAnswer,
  ProfilePath,
  ProfilesAnswer,
  responses,
  UpdateBody,
} from './schemas.ts';

/** What routes share that change profiles. */
export type ProfileServices = Pick<Engine, 'takeTurn' | 'wrote'>;

/**
 * A profile by its name. What no watch has brought yet is asked for, so that no reader misses what another
 * replica has just written.
 */
const find = async (
  name: string,
  { profiles, client }: Pick<EksContext, 'profiles' | 'client'>,
): Promise<FargateProfile | undefined> => profiles.get(name) ?? storedProfile(name, client);

export const profileRoutes = (server: EksInstance, context: EksContext, services: ProfileServices): void => {
  const { cluster, account, subnets, settings } = context;
  const engine: Engine = { ...context, ...services };
  const here = (name: string): void => {
    if (name !== cluster.name) throw new RefusedError(noCluster(name));
  };

  server.post(
    '/clusters/:name/fargate-profiles',
    {
      config: { action: 'eks:CreateFargateProfile' },
      schema: {
        operationId: 'CreateFargateProfile',
        params: ClusterPath,
        body: CreateBody,
        response: responses(ProfileAnswer),
      },
    },
    async ({ params, body }) => {
      here(params.name);
      return { fargateProfile: orRefuse(await createProfile(body, engine)) };
    },
  );

  server.get(
    '/clusters/:name/fargate-profiles',
    {
      config: { action: 'eks:ListFargateProfiles' },
      schema: {
        operationId: 'ListFargateProfiles',
        params: ClusterPath,
        querystring: PageQuery,
        response: responses(ProfilesAnswer),
      },
    },
    async ({ params, query }) => {
      here(params.name);
      const names = context.profiles.list().map(({ metadata }) => metadata.name);
      const { items, nextToken } = pageFor('ListFargateProfiles', names, (name) => name, query);
      return { fargateProfileNames: [...items], nextToken };
    },
  );

  server.get(
    '/clusters/:name/fargate-profiles/:fargateProfileName',
    {
      config: { action: 'eks:DescribeFargateProfile' },
      schema: {
        operationId: 'DescribeFargateProfile',
        params: ProfilePath,
        response: responses(ProfileAnswer),
      },
    },
    async ({ params: { name, fargateProfileName } }) => {
      here(name);
      const found = orRefuse(
        (await find(fargateProfileName, context)) ?? noProfile(name, fargateProfileName),
      );
      const { places } = settings;
      return {
        fargateProfile: describeProfile(found, { account, cluster: cluster.name, subnets, places }),
      };
    },
  );

  server.delete(
    '/clusters/:name/fargate-profiles/:fargateProfileName',
    {
      config: { action: 'eks:DeleteFargateProfile' },
      schema: {
        operationId: 'DeleteFargateProfile',
        params: ProfilePath,
        response: responses(ProfileAnswer),
      },
    },
    async ({ params }) => {
      here(params.name);
      return { fargateProfile: orRefuse(await deleteProfile(params.fargateProfileName, engine)) };
    },
  );

  if (!settings.updates) return;
  server.post(
    '/clusters/:name/fargate-profiles/:fargateProfileName/update',
    {
      config: { action: 'eks:UpdateFargateProfile' },
      schema: {
        operationId: 'UpdateFargateProfile',
        description: 'An extension: profiles of the original cannot be changed.',
        params: ProfilePath,
        body: UpdateBody,
        response: responses(ProfileAnswer),
      },
    },
    async ({ params, body }) => {
      here(params.name);
      return { fargateProfile: orRefuse(await updateProfile(params.fargateProfileName, body, engine)) };
    },
  );
};
