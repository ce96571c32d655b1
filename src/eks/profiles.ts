/** Creating, updating and deleting profiles: one engine for the API and for `cloister profile`. */
import type { FargateProfile } from '../api/fargate-profile.ts';
import { fargateProfiles, podExecutionRoles, subnets as subnetKind } from '../api/resources.ts';
import type { Subnet } from '../api/subnet.ts';
import {
  type ClusterView,
  nameTaken,
  noProfile,
  refuseCreate,
  refuseDelete,
  refuseUpdate,
} from '../core/eks/create.ts';
import type { Refusal } from '../core/eks/errors.ts';
import { API_VERSION, PROFILE_FINALIZER } from '../core/names.ts';
import { checkName } from '../core/profile/rules.ts';
import { isAlreadyExists, isNotFound, type KubeClient, orNothing } from '../kube/client.ts';
import { retried } from '../kube/retry.ts';
import type { EksContext } from './context.ts';
import { describeProfile, usableSubnets } from './describe.ts';
import { type Request, recall, remember, requestOf } from './idempotency.ts';
import type { CreateBody, ProfileDescription, UpdateBody } from './schemas.ts';
import type { TakeTurn } from './turn.ts';

/** What changing profiles depends on. */
export interface Engine extends Pick<EksContext, 'client' | 'account' | 'now'> {
  readonly settings: Pick<EksContext['settings'], 'oneAtATime' | 'limits' | 'places'>;
  readonly cluster: Pick<EksContext['cluster'], 'name' | 'status'>;
  readonly takeTurn: TakeTurn;
  /** Told of every profile that was written, so that caches show it at once. */
  readonly wrote: (profile: FargateProfile) => void;
}

/** A profile as the API server has it now. A name that no profile can have could mean something else in a URL. */
export const storedProfile = async (name: string, client: KubeClient): Promise<FargateProfile | undefined> =>
  checkName(name) === undefined ? orNothing(client.get(fargateProfiles, { name })) : undefined;

/** Hash of the request that a profile was made by: survives a crash between profile and record. */
const REQUEST_ANNOTATION = 'cloister.dev/request';

const annotationOf = ({ token, content }: Request): string => `${token}.${content}`;

/** The cluster as the API server has it now, not as a cache remembers it. */
interface Now {
  readonly view: ClusterView;
  readonly profiles: readonly FargateProfile[];
  readonly subnets: readonly Subnet[];
}

const look = async ({ client, cluster, account, settings }: Engine): Promise<Now> => {
  const [profiles, subnets, roles] = await Promise.all([
    client.list(fargateProfiles),
    client.list(subnetKind),
    client.list(podExecutionRoles),
  ]);
  const { oneAtATime, limits, places } = settings;
  const { name, status } = cluster;
  return {
    profiles,
    subnets,
    view: { name, status, account, profiles, subnets, roles, places, limits, oneAtATime },
  };
};

const describe = (
  profile: FargateProfile,
  { account, cluster, settings: { places } }: Engine,
  subnets: readonly Subnet[],
): ProfileDescription =>
  describeProfile(profile, { account, cluster: cluster.name, subnets: () => subnets, places });

const objectOf = (
  body: CreateBody,
  subnets: readonly string[],
  request: Request | undefined,
): FargateProfile => ({
  apiVersion: API_VERSION,
  kind: 'FargateProfile',
  metadata: {
    name: body.fargateProfileName,
    finalizers: [PROFILE_FINALIZER],
    ...(request === undefined ? {} : { annotations: { [REQUEST_ANNOTATION]: annotationOf(request) } }),
  },
  spec: {
    podExecutionRoleArn: body.podExecutionRoleArn,
    selectors: selectorsOf(body),
    subnets: [...subnets],
    tags: { ...body.tags },
  },
});

const selectorsOf = ({ selectors }: Pick<CreateBody, 'selectors'>): FargateProfile['spec']['selectors'] =>
  (selectors ?? []).map(({ namespace, labels }) => ({
    namespace: namespace ?? '',
    ...(labels ? { labels } : {}),
  }));

/** Creates a profile, or gives the first answer again when the request is repeated with its token. */
export const createProfile = (body: CreateBody, engine: Engine): Promise<ProfileDescription | Refusal> =>
  engine.takeTurn(async () => {
    const { client, now } = engine;
    const { clientRequestToken, ...content } = body;
    const request = clientRequestToken
      ? requestOf(engine.cluster.name, clientRequestToken, content)
      : undefined;
    if (request !== undefined) {
      const known = await recall<ProfileDescription>(client, request, now());
      if ('type' in known) return known;
      if (known.kind === 'repeated') return known.answer;
    }
    const answer = await create(body, request, engine);
    if (request !== undefined && !('type' in answer)) await remember(client, request, answer, now());
    return answer;
  });

const create = async (
  body: CreateBody,
  request: Request | undefined,
  engine: Engine,
): Promise<ProfileDescription | Refusal> => {
  const { view, profiles, subnets } = await look(engine);
  const name = body.fargateProfileName;
  const made = profiles.find(({ metadata }) => metadata.name === name);
  if (made !== undefined && request !== undefined && wasMadeBy(made, request))
    return { ...describe(made, engine, subnets), status: 'CREATING' };
  const chosen = body.subnets?.length ? body.subnets : usableSubnets(subnets, view.places);
  const refusal = refuseCreate(name, { ...body, subnets: chosen }, view);
  if (refusal !== undefined) return refusal;
  try {
    const stored = await engine.client.create(fargateProfiles, objectOf(body, chosen, request));
    engine.wrote(stored);
    return describe(stored, engine, subnets);
  } catch (cause) {
    if (isAlreadyExists(cause)) return nameTaken(view.name); // by kubectl, in this moment
    throw cause;
  }
};

const wasMadeBy = ({ metadata }: FargateProfile, request: Request): boolean =>
  metadata.annotations?.[REQUEST_ANNOTATION] === annotationOf(request);

/** Asks for a profile's deletion; its pods are deleted before it is gone. */
export const deleteProfile = (name: string, engine: Engine): Promise<ProfileDescription | Refusal> =>
  engine.takeTurn(() => retried(() => askForDeletion(name, engine)));

const askForDeletion = async (name: string, engine: Engine): Promise<ProfileDescription | Refusal> => {
  const { client } = engine;
  const { view, profiles, subnets } = await look(engine);
  const refusal = refuseDelete(name, view);
  if (refusal !== undefined) return refusal;
  const found = profiles.find(({ metadata }) => metadata.name === name);
  if (found === undefined) return noProfile(view.name, name);
  const { uid, resourceVersion, finalizers = [], deletionTimestamp } = found.metadata;
  try {
    if (deletionTimestamp === undefined && !finalizers.includes(PROFILE_FINALIZER)) {
      const metadata = { resourceVersion, finalizers: [...finalizers, PROFILE_FINALIZER] };
      await client.patch(fargateProfiles, { name }, { metadata }, { type: 'merge' });
    }
    await client.delete(fargateProfiles, { name }, { uid });
  } catch (cause) {
    if (isNotFound(cause)) return noProfile(view.name, name); // by kubectl, in this moment
    throw cause;
  }
  return { ...describe(found, engine, subnets), status: 'DELETING' };
};

/** Changes a profile in place: members that are not given stay as they are. */
export const updateProfile = (
  name: string,
  body: UpdateBody,
  engine: Engine,
): Promise<ProfileDescription | Refusal> => engine.takeTurn(() => retried(() => update(name, body, engine)));

const update = async (
  name: string,
  body: UpdateBody,
  engine: Engine,
): Promise<ProfileDescription | Refusal> => {
  const { view, profiles, subnets } = await look(engine);
  const found = profiles.find(({ metadata }) => metadata.name === name);
  if (found === undefined) return noProfile(view.name, name);
  const spec = changed(found.spec, body);
  const refusal = refuseUpdate(name, spec, view);
  if (refusal !== undefined) return refusal;
  const stored = await orNothing(engine.client.replace(fargateProfiles, { ...found, spec }));
  if (stored === undefined) return noProfile(view.name, name);
  engine.wrote(stored);
  return describe(stored, engine, subnets);
};

const changed = (spec: FargateProfile['spec'], body: UpdateBody): FargateProfile['spec'] => ({
  ...spec,
  ...(body.selectors ? { selectors: selectorsOf(body) } : {}),
  ...(body.subnets ? { subnets: body.subnets } : {}),
  ...(body.podExecutionRoleArn ? { podExecutionRoleArn: body.podExecutionRoleArn } : {}),
  ...(body.policy ? { policy: body.policy } : {}),
});
