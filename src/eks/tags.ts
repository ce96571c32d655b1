/** Tags of profiles and of the cluster, by their ARNs (spec/fargate.md §1.1, §1.4). */
import { Type } from 'typebox';
import { fargateProfiles } from '../api/resources.ts';
import { clusterArn, parseTaggable, type Taggable } from '../core/eks/arn.ts';
import type { Refusal } from '../core/eks/errors.ts';
import { checkTags } from '../core/profile/rules.ts';
import { orNothing } from '../kube/client.ts';
import type { Principal } from './authenticate.ts';
import { readClusterTags, writeClusterTags } from './cluster-tags.ts';
import type { EksContext } from './context.ts';
import { refuseAction } from './gate.ts';
import { orRefuse, RefusedError } from './http.ts';
import type { EksInstance } from './instance.ts';
import type { ProfileServices } from './profile-routes.ts';
import { EmptyAnswer, responses, TagBody, TagsAnswer, UntagQuery } from './schemas.ts';

type Tags = Readonly<Record<string, string>>;

/** The ARN is the rest of the path: clients escape its slashes, people do not. */
const ArnPath = Type.Object({ '*': Type.String({ description: 'ARN of a profile or of the cluster.' }) });

const notFound = (arn: string): Refusal => ({
  type: 'NotFoundException',
  message: `The resource ${arn} does not exist.`,
});

const bad = (message: string): Refusal => ({ type: 'BadRequestException', message });

/** A resource, its tags, and the way to change them: undefined as a value takes a tag away. */
interface Tagged {
  readonly tags: Tags;
  readonly change: (changes: Readonly<Record<string, string | null>>) => Promise<void>;
}

const merged = (tags: Tags, changes: Readonly<Record<string, string | null>>): Tags =>
  Object.fromEntries(
    Object.entries({ ...tags, ...changes }).filter((pair): pair is [string, string] => pair[1] !== null),
  );

const open = async (
  arn: string,
  taggable: Taggable,
  { client, cluster }: EksContext,
  { wrote }: ProfileServices,
): Promise<Tagged | Refusal> => {
  if (taggable.cluster !== cluster.name) return notFound(arn);
  if (taggable.kind === 'cluster') {
    const tags = await readClusterTags(client);
    return { tags, change: (changes) => writeClusterTags(client, merged(tags, changes)) };
  }
  const name = taggable.profile;
  const profile = await orNothing(client.get(fargateProfiles, { name }));
  if (profile?.metadata.uid !== taggable.uid) return notFound(arn);
  return {
    tags: profile.spec.tags ?? {},
    change: async (changes) =>
      wrote(await client.patch(fargateProfiles, { name }, { spec: { tags: changes } }, { type: 'merge' })),
  };
};

export const tagRoutes = (server: EksInstance, context: EksContext, services: ProfileServices): void => {
  /** The resource of an ARN, when the caller may do this to it. */
  const find = async (
    arn: string,
    action: string,
    principal: Principal | null,
  ): Promise<Tagged | Refusal> => {
    const taggable = parseTaggable(arn, context.account);
    if (taggable === 'malformed') return bad(`${arn} is no ARN of a resource of this service.`);
    if (taggable === 'elsewhere') return notFound(arn);
    const { cluster } = taggable;
    const denied =
      principal === null
        ? undefined
        : refuseAction(principal, action, cluster, clusterArn(context.account, cluster));
    return denied ?? open(arn, taggable, context, services);
  };

  server.get(
    '/tags/*',
    {
      config: { action: 'eks:ListTagsForResource' },
      schema: { operationId: 'ListTagsForResource', params: ArnPath, response: responses(TagsAnswer) },
    },
    async ({ params, principal }) => {
      const { tags } = orRefuse(await find(params['*'], 'eks:ListTagsForResource', principal));
      return { tags: { ...tags } };
    },
  );

  server.post(
    '/tags/*',
    {
      config: { action: 'eks:TagResource' },
      schema: {
        operationId: 'TagResource',
        params: ArnPath,
        body: TagBody,
        response: responses(EmptyAnswer),
      },
    },
    async ({ params, body, principal }) => {
      const found = orRefuse(await find(params['*'], 'eks:TagResource', principal));
      const wrong = checkTags(body.tags) ?? checkTags(merged(found.tags, body.tags));
      if (wrong !== undefined) throw new RefusedError(bad(wrong));
      await found.change(body.tags);
      return {};
    },
  );

  server.delete(
    '/tags/*',
    {
      config: { action: 'eks:UntagResource' },
      schema: {
        operationId: 'UntagResource',
        params: ArnPath,
        querystring: UntagQuery,
        response: responses(EmptyAnswer),
      },
    },
    async ({ params, query, principal }) => {
      const found = orRefuse(await find(params['*'], 'eks:UntagResource', principal));
      const keys = [query.tagKeys ?? []].flat();
      if (keys.length === 0) throw new RefusedError(bad('tagKeys must name at least one tag.'));
      const present = keys.filter((key) => Object.hasOwn(found.tags, key));
      if (present.length > 0) await found.change(Object.fromEntries(present.map((key) => [key, null])));
      return {};
    },
  );
};
