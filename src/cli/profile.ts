/** `cloister profile …`: the engine of the EKS API for people without AWS tools, by way of the API server. */
import { configMaps, fargateProfiles, subnets as subnetKind } from '../api/resources.ts';
import { isRefusal, type Refusal } from '../core/eks/errors.ts';
import { EKS_FACTS, type EksFacts, parseEksFacts } from '../core/eks/facts.ts';
import { FACTS, parseFacts } from '../core/facts.ts';
import { LIMITS } from '../core/profile/rules.ts';
import { describeProfile } from '../eks/describe.ts';
import { createProfile, deleteProfile, type Engine, updateProfile } from '../eks/profiles.ts';
import type { ProfileDescription } from '../eks/schemas.ts';
import { TimeoutError, until } from '../host/wait.ts';
import { type KubeClient, orNothing } from '../kube/client.ts';
import { connect } from './connect.ts';
import { listingOf, type ProfileFormat, printed, profileFormat } from './profile-output.ts';

/** Options that all have, as commander gives them. */
interface Flags {
  readonly output: string;
  readonly kubeconfig?: string;
}

/** Options that say what a profile is made of. */
interface Parts {
  readonly selector?: readonly string[];
  readonly subnet?: readonly string[];
  readonly role?: string;
}

/** How long a profile may take to become ACTIVE, and its pods to go. */
const ACTIVE_LIMIT_MS = 60_000;
const GONE_LIMIT_MS = 15 * 60_000;
const LOOK_EVERY_MS = 500;

/** Name of the role that a profile gets when none is given. */
const DEFAULT_ROLE = 'AmazonEKSFargatePodExecutionRole';

const dataOf = async (
  client: KubeClient,
  key: { readonly namespace: string; readonly name: string },
): Promise<Record<string, string> | undefined> => (await orNothing(client.get(configMaps, key)))?.data;

/** The engine for one command. Where the EKS API was never served, names and account are placeholders. */
const engineFor = async (client: KubeClient): Promise<Engine> => {
  const eks = parseEksFacts(await dataOf(client, EKS_FACTS));
  const facts = parseFacts(await dataOf(client, FACTS));
  const region = facts?.region ?? 'local-1';
  const known: EksFacts = eks ?? {
    cluster: 'cloister',
    account: { partition: 'aws', region, account: '000000000000' },
    limits: LIMITS,
    oneAtATime: true,
  };
  return {
    client,
    account: known.account,
    cluster: { name: known.cluster, status: 'ACTIVE' },
    settings: { oneAtATime: known.oneAtATime, limits: known.limits, places: facts?.places ?? {} },
    now: Date.now,
    takeTurn: (run) => run(),
    wrote: () => {},
  };
};

/** Runs a command against the cluster that is meant, and prints what it gives. */
const withEngine = async (
  flags: Flags,
  run: (engine: Engine, format: ProfileFormat) => Promise<string>,
): Promise<void> => {
  const format = profileFormat(flags.output);
  const client = connect(flags.kubeconfig);
  try {
    process.stdout.write(await run(await engineFor(client), format));
  } finally {
    await client.close();
  }
};

/** @throws Error with the text of a refusal */
const accepted = (outcome: ProfileDescription | Refusal): ProfileDescription => {
  if (isRefusal(outcome)) throw new Error(outcome.message);
  return outcome;
};

/** `KEY=VALUE` as it is written. @throws Error that shows how */
const pairOf = (text: string): readonly [string, string] => {
  const equals = text.indexOf('=');
  if (equals < 1) throw new Error(`${text} must be written KEY=VALUE`);
  return [text.slice(0, equals), text.slice(equals + 1)];
};

/** `NAMESPACE` or `NAMESPACE:KEY=VALUE,KEY=VALUE`. */
const selectorOf = (text: string) => {
  const colon = text.indexOf(':');
  if (colon < 0) return { namespace: text };
  const labels = Object.fromEntries(
    text
      .slice(colon + 1)
      .split(',')
      .map(pairOf),
  );
  return { namespace: text.slice(0, colon), labels };
};

const partsOf = ({ selector, subnet, role }: Parts) => ({
  ...(selector === undefined ? {} : { selectors: selector.map(selectorOf) }),
  ...(subnet === undefined ? {} : { subnets: [...subnet] }),
  ...(role === undefined ? {} : { podExecutionRoleArn: role }),
});

/** All profiles as the API server has them. */
const look = async ({
  client,
  account,
  cluster,
  settings,
}: Engine): Promise<readonly ProfileDescription[]> => {
  const [profiles, all] = await Promise.all([client.list(fargateProfiles), client.list(subnetKind)]);
  const about = { account, cluster: cluster.name, subnets: () => all, places: settings.places };
  return profiles
    .map((profile) => describeProfile(profile, about))
    .toSorted((a, b) => (a.fargateProfileName < b.fargateProfileName ? -1 : 1));
};

const find = async (name: string, engine: Engine): Promise<ProfileDescription | undefined> =>
  (await look(engine)).find(({ fargateProfileName }) => fargateProfileName === name);

/** Waits, and tells people at a terminal for what and since when. */
const waitFor = async <T>(what: string, limitMs: number, condition: () => Promise<T | undefined>) => {
  const began = performance.now();
  const show = process.stderr.isTTY;
  try {
    return await until(
      async () => {
        const outcome = await condition();
        const seconds = Math.round((performance.now() - began) / 1000);
        if (show) process.stderr.write(`\r\u001b[Kwaiting for ${what}, ${seconds} s`);
        return outcome;
      },
      { limitMs, what, everyMs: LOOK_EVERY_MS },
    );
  } finally {
    if (show) process.stderr.write('\r\u001b[K');
  }
};

/** @throws Error when the profile ends up in a state of failure, with the reason */
const untilActive = async (name: string, engine: Engine): Promise<ProfileDescription> => {
  const profile = await waitFor(`profile ${name} to be ACTIVE`, ACTIVE_LIMIT_MS, async () => {
    const found = await find(name, engine);
    return found?.status === 'CREATING' ? undefined : (found ?? 'gone');
  });
  if (profile === 'gone') throw new Error(`profile ${name} was deleted by somebody else`);
  if (profile.status === 'ACTIVE') return profile;
  const why = profile.health.issues.map(({ message }) => message).join('; ');
  throw new Error(`profile ${name} is ${profile.status}${why === '' ? '' : `: ${why}`}`);
};

/** `cloister profile create NAME`. */
export const createCommand = (
  name: string,
  flags: Flags & Parts & { readonly tag?: readonly string[]; readonly wait: boolean },
): Promise<void> =>
  withEngine(flags, async (engine, format) => {
    const { partition, account } = engine.account;
    const body = {
      fargateProfileName: name,
      podExecutionRoleArn: `arn:${partition}:iam::${account}:role/${DEFAULT_ROLE}`,
      ...partsOf(flags),
      tags: Object.fromEntries((flags.tag ?? []).map(pairOf)),
    };
    const created = accepted(await createProfile(body, engine));
    return printed(flags.wait ? await untilActive(name, engine) : created, format);
  });

/** `cloister profile list`. */
export const listCommand = (flags: Flags): Promise<void> =>
  withEngine(flags, async (engine, format) => listingOf(await look(engine), format));

/** `cloister profile describe NAME`. @throws Error when there is none */
export const describeCommand = (name: string, flags: Flags): Promise<void> =>
  withEngine(flags, async (engine, format) => {
    const found = await find(name, engine);
    if (found === undefined) throw new Error(`No Fargate Profile found with name: ${name}.`);
    return printed(found, format);
  });

/** `cloister profile update NAME`. */
export const updateCommand = (
  name: string,
  flags: Flags & Parts & { readonly wait: boolean },
): Promise<void> =>
  withEngine(flags, async (engine, format) => {
    const parts = partsOf(flags);
    if (Object.keys(parts).length === 0)
      throw new Error('nothing to change: give --selector, --subnet or --role');
    const updated = accepted(await updateProfile(name, parts, engine));
    return printed(flags.wait ? await untilActive(name, engine) : updated, format);
  });

/** `cloister profile delete NAME`. */
export const deleteCommand = (name: string, flags: Flags & { readonly wait: boolean }): Promise<void> =>
  withEngine(flags, async (engine, format) => {
    const deleted = accepted(await deleteProfile(name, engine));
    if (!flags.wait) return printed(deleted, format);
    try {
      await waitFor(`profile ${name} and its pods to be gone`, GONE_LIMIT_MS, async () => {
        const left = await find(name, engine);
        return left === undefined || left.fargateProfileArn !== deleted.fargateProfileArn ? true : undefined;
      });
    } catch (cause) {
      if (!(cause instanceof TimeoutError)) throw cause;
      throw new Error(`profile ${name} still has pods that do not go: see kubectl get pods -A`, { cause });
    }
    return format === 'table' ? `profile ${name} is gone\n` : printed(deleted, format);
  });
