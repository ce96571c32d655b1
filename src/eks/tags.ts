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
import { storedProfile } from './profiles.ts';
import { EmptyAnswer, responses, TagBody, TagsAnswer, UntagQuery } from './schemas.ts';

type Tags = Readonly<Record<string, string>>;

/** The ARN is the rest of the path: clients escape its slashes, people do not. */
const ArnPath = Type.Object({ '*': Type.String({ description: 'ARN of a profile or of the cluster.' }) });

const notFound = (arn: string): Refusal => ({
  type: 'NotFoundException',
  message: `The resource ${arn} does not exist.`,
});

const bad = (message: string): Refusal => ({ type: 'BadRequestException', message });

/** Tags to set; null as a value takes a tag away. */
type Changes = Readonly<Record<string, string | null>>;

/** The tags of a resource, and the way to change them. */
interface Tagged {
  readonly tags: Tags;
  readonly change: (changes: Changes) => Promise<void>;
}

const merged = (tags: Tags, changes: Changes): Tags =>
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
  const { profile: name, uid } = taggable;
  const profile = await storedProfile(name, client);
  if (profile?.metadata.uid !== uid) return notFound(arn);
  return {
    tags: profile.spec.tags ?? {},
    change: async (changes) => {
      const patch = { metadata: { uid }, spec: { tags: changes } };
      const written = await orNothing(client.patch(fargateProfiles, { name }, patch, { type: 'merge' }));
      if (written === undefined) throw new RefusedError(notFound(arn)); // deleted in this moment
      wrote(written);
    },
  };
};

export const tagRoutes = (server: EksInstance, context: EksContext, services: ProfileServices): void => {
  /** The resource of an ARN, when the caller may do this to it. @throws RefusedError */
  const permitted = (arn: string, action: string, principal: Principal | null): Taggable => {
    const taggable = parseTaggable(arn, context.account);
    if (taggable === 'malformed')
      throw new RefusedError(bad(`${arn} is no ARN of a resource of this service.`));
    if (taggable === 'elsewhere') throw new RefusedError(notFound(arn));
    const { cluster } = taggable;
    const denied =
      principal === null
        ? undefined
        : refuseAction(principal, action, cluster, clusterArn(context.account, cluster));
    if (denied !== undefined) throw new RefusedError(denied);
    return taggable;
  };

  /** Changes tags by those that are there, while nobody else changes any: what two callers add, both find. */
  const change = (
    arn: string,
    taggable: Taggable,
    changesTo: (tags: Tags) => Changes,
  ): Promise<Record<string, never>> =>
    services.takeTurn(async () => {
      const found = orRefuse(await open(arn, taggable, context, services));
      const changes = changesTo(found.tags);
      if (Object.keys(changes).length > 0) await found.change(changes);
      return {};
    });

  server.get(
    '/tags/*',
    {
      config: { action: 'eks:ListTagsForResource' },
      schema: { operationId: 'ListTagsForResource', params: ArnPath, response: responses(TagsAnswer) },
    },
    async ({ params: { '*': arn }, principal }) => {
      const taggable = permitted(arn, 'eks:ListTagsForResource', principal);
      const { tags } = orRefuse(await open(arn, taggable, context, services));
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
    async ({ params: { '*': arn }, body: { tags: added }, principal }) => {
      const taggable = permitted(arn, 'eks:TagResource', principal);
      return change(arn, taggable, (tags) => {
        const wrong = checkTags(added) ?? checkTags(merged(tags, added));
        if (wrong !== undefined) throw new RefusedError(bad(wrong));
        return added;
      });
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
    async ({ params: { '*': arn }, query, principal }) => {
      const taggable = permitted(arn, 'eks:UntagResource', principal);
      const keys = [query.tagKeys ?? []].flat();
      if (keys.length === 0) throw new RefusedError(bad('tagKeys must name at least one tag.'));
      return change(arn, taggable, (tags) => {
        const present = keys.filter((key) => Object.hasOwn(tags, key));
        return Object.fromEntries(present.map((key) => [key, null]));
      });
    },
  );
};
