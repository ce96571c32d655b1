/** What happens between two looks at the cluster, which none can be brought to: the client is a stand-in. */
import { pino } from 'pino';
import { describe, expect, it } from 'vitest';
import { AWS_AUTH } from '../api/aws-auth.ts';
import type { FargateProfile } from '../api/fargate-profile.ts';
import type { MicroVM } from '../api/micro-vm.ts';
import type { ConfigMap, Pod, Resource } from '../api/resources.ts';
import { PROFILE_FINALIZER, PROFILE_LABEL, SCHEDULER } from '../core/names.ts';
import { until } from '../host/wait.ts';
import { ApiError } from '../kube/client.ts';
import { type ProfilesContext, runProfiles } from './reconciler.ts';

const pod = (name: string, labels: Record<string, string> = {}): Pod => ({
  metadata: { namespace: 'n', name, uid: `uid-${name}`, labels },
  spec: { containers: [], schedulerName: SCHEDULER },
});
const labelled = { [PROFILE_LABEL]: 'p' };

const machineOf = ({ metadata: { name = '', uid = '' } }: Pod, profile: string) =>
  ({ metadata: { name: `vm-${name}` }, spec: { profile, pod: { namespace: 'n', name, uid } } }) as MicroVM;

const storeOf = <T>(objects: Readonly<Record<string, T>>) => ({
  get: (key: string) => objects[key],
  list: () => Object.values(objects),
  onChange: () => () => {},
  assume: () => {},
});

interface Patch {
  readonly metadata: { readonly finalizers?: readonly string[] };
  readonly status?: object;
}

interface World {
  readonly profile?: FargateProfile;
  /** Pods that the API server lists by their label. */
  readonly listed: () => readonly Pod[];
  /** The profile as the API server has it. */
  readonly stored: () => FargateProfile | undefined;
  readonly pods?: readonly Pod[];
  readonly machines?: readonly MicroVM[];
  /** `mapRoles` of `aws-auth`. */
  readonly mapRoles?: string;
  /** Status with which `aws-auth` cannot be written. */
  readonly refused?: number;
}

/** Looks at profile `p` once; gives the names of the pods that were deleted, what was told, and whether it was let go. */
const pass = async ({ profile, listed, stored, pods = [], machines = [], mapRoles = '', refused }: World) => {
  const deleted: string[] = [];
  let told: object | undefined;
  let looked = false;
  let released = false;
  const client = {
    list: async () => {
      looked = true;
      return listed();
    },
    get: async ({ kind }: Resource<unknown>) => {
      looked = true;
      if (kind === 'ConfigMap') return { metadata: AWS_AUTH, data: { mapRoles } };
      const found = stored();
      if (found === undefined) throw new ApiError('GET', { status: 404, reason: 'NotFound' });
      return found;
    },
    delete: async (_: Resource<Pod>, { name }: { name: string }) => deleted.push(name),
    patch: async (_: unknown, __: unknown, patch: Patch) => {
      if (patch.metadata.finalizers?.length === 0) released = true;
      told ??= patch.status;
      return profile;
    },
    replace: async (_: unknown, config: ConfigMap) => {
      if (refused === undefined) return config;
      throw new ApiError('PUT: no', { status: refused, reason: 'Unknown' });
    },
  };
  let enqueue = (_name: string): void => {};
  const context = {
    client,
    profiles: {
      ...storeOf(profile === undefined ? {} : { p: profile }),
      onChange: (listener: typeof enqueue) => {
        enqueue = listener;
        return () => {};
      },
    },
    replicas: { onChange: () => () => {}, at: async () => [{ name: 'a', follows: true }] },
    authConfig: storeOf<ConfigMap>({}),
    pods: storeOf(Object.fromEntries(pods.map((one) => [`n/${one.metadata.name}`, one]))),
    microVMs: storeOf(Object.fromEntries(machines.map((one) => [one.metadata.name, one]))),
    log: pino({ level: 'silent' }),
    now: Date.now,
  };
  const controller = runProfiles(context as unknown as ProfilesContext);
  enqueue('p');
  await until(() => looked, { limitMs: 5_000, what: 'the profile to be looked at', everyMs: 1 });
  await controller.stop();
  return { deleted, released, ...(told === undefined ? {} : { told }) };
};

const leaving: FargateProfile = {
  metadata: {
    name: 'p',
    uid: 'u',
    deletionTimestamp: new Date().toISOString(),
    finalizers: [PROFILE_FINALIZER],
  },
  spec: { selectors: [{ namespace: 'n' }] },
  status: { status: 'DELETING' },
};

describe('a profile that is gone', () => {
  it('takes the pods along that it left behind', async () => {
    const left = [pod('a', labelled)];
    expect(await pass({ listed: () => left, stored: () => undefined })).toMatchObject({ deleted: ['a'] });
  });

  it('leaves those alone of one that is made anew under its name, at whatever moment', async () => {
    let anew = false;
    const { metadata, ...rest } = leaving;
    const world: World = {
      listed: () => {
        anew = true; // and admission gives it a pod at once
        return [pod('b', labelled)];
      },
      stored: () => (anew ? { metadata: { name: metadata.name, uid: 'v' }, ...rest } : undefined),
    };
    expect(await pass(world)).toMatchObject({ deleted: [] });
  });
});

describe('a profile that is being deleted', () => {
  it('goes when its pods have', async () => {
    expect(await pass({ profile: leaving, listed: () => [], stored: () => leaving })).toEqual({
      deleted: [],
      released: true,
    });
  });

  it('takes along what runs on its machines, whoever took its label away', async () => {
    const hidden = pod('hidden');
    const moved = pod('moved', { [PROFILE_LABEL]: 'q' });
    const other = pod('other');
    const world: World = {
      profile: leaving,
      listed: () => [pod('a', labelled)],
      stored: () => leaving,
      pods: [hidden, moved, other],
      machines: [machineOf(hidden, 'p'), machineOf(moved, 'p'), machineOf(other, 'q')],
    };
    expect(await pass(world)).toEqual({ deleted: ['a', 'hidden', 'moved'], released: false });
  });

  it('does not wait for machines of pods that are gone, or made anew under their name', async () => {
    const anew = pod('x');
    const before = machineOf({ ...anew, metadata: { ...anew.metadata, uid: 'before' } }, 'p');
    const world: World = {
      profile: leaving,
      listed: () => [],
      stored: () => leaving,
      pods: [anew],
      machines: [before, machineOf(pod('gone'), 'p')],
    };
    expect(await pass(world)).toEqual({ deleted: [], released: true });
  });
});

describe('a profile that is new', () => {
  const fresh: FargateProfile = {
    metadata: { name: 'p', uid: 'u', resourceVersion: '1', finalizers: [PROFILE_FINALIZER] },
    spec: { selectors: [{ namespace: 'n' }], podExecutionRoleArn: 'arn:aws:iam::111122223333:role/pods' },
  };
  const told = async (more: Pick<World, 'mapRoles' | 'refused'>) =>
    (await pass({ profile: fresh, listed: () => [], stored: () => fresh, ...more })).told;

  it('is ACTIVE when its role is mapped', async () => {
    expect(await told({})).toMatchObject({ status: 'ACTIVE' });
  });

  it.each([
    ['may not be written', 403],
    ['is immutable', 422],
  ])('tells that it cannot be mapped where the ConfigMap %s', async (_, refused) => {
    expect(await told({ refused })).toMatchObject({
      status: 'CREATE_FAILED',
      health: { issues: [{ code: 'AccessDenied', message: 'PUT: no', resourceIds: ['p'] }] },
    });
  });

  it.each([
    ['no list', '{a: b}', 'it is no list'],
    ['no YAML', '- a\n- [b', 'unexpected end of the stream within a flow collection'],
  ])('tells that it cannot be mapped where mapRoles is %s', async (_, mapRoles, why) => {
    expect(await told({ mapRoles })).toMatchObject({
      status: 'CREATE_FAILED',
      health: {
        issues: [
          {
            code: 'InternalFailure',
            message: `mapRoles of ConfigMap kube-system/aws-auth cannot be read, ${why}: correct it`,
            resourceIds: ['p'],
          },
        ],
      },
    });
  });
});
