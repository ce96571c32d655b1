/** What happens between two looks at the cluster, which none can be brought to: the client is a stand-in. */
import { pino } from 'pino';
import { describe, expect, it } from 'vitest';
import type { FargateProfile } from '../api/fargate-profile.ts';
import type { MicroVM } from '../api/micro-vm.ts';
import { PROFILE_FINALIZER, PROFILE_LABEL, SCHEDULER } from '../api/names.ts';
import type { Pod, Resource } from '../api/resources.ts';
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

interface World {
  readonly profile?: FargateProfile;
  /** Pods that the API server lists by their label. */
  readonly listed: () => readonly Pod[];
  /** The profile as the API server has it. */
  readonly stored: () => FargateProfile | undefined;
  readonly pods?: readonly Pod[];
  readonly machines?: readonly MicroVM[];
}

/** Looks at profile `p` once; gives the names of the pods that were deleted, and whether it was let go. */
const pass = async ({ profile, listed, stored, pods = [], machines = [] }: World) => {
  const deleted: string[] = [];
  let looked = false;
  let released = false;
  const client = {
    list: async () => {
      looked = true;
      return listed();
    },
    get: async () => {
      looked = true;
      const found = stored();
      if (found === undefined) throw new ApiError('GET', { status: 404, reason: 'NotFound' });
      return found;
    },
    delete: async (_: Resource<Pod>, { name }: { name: string }) => deleted.push(name),
    patch: async (_: unknown, __: unknown, patch: { metadata: { finalizers?: readonly string[] } }) => {
      if (patch.metadata.finalizers?.length === 0) released = true;
      return profile;
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
    replicas: { onChange: () => () => {} },
    pods: storeOf(Object.fromEntries(pods.map((one) => [`n/${one.metadata.name}`, one]))),
    microVMs: storeOf(Object.fromEntries(machines.map((one) => [one.metadata.name, one]))),
    log: pino({ level: 'silent' }),
    now: Date.now,
  };
  const controller = runProfiles(context as unknown as ProfilesContext);
  enqueue('p');
  await until(() => looked, { limitMs: 5_000, what: 'the profile to be looked at', everyMs: 1 });
  await controller.stop();
  return { deleted, released };
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
