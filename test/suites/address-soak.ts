/**
 * Pods come and go by the thousand in subnets that are too small for them, while the controller is killed, its
 * connections break and the API server ends. At no time do two machines have one address, and in the end every
 * address can be given again.
 */
import { expect } from 'vitest';
import type { MicroVM } from '../../src/api/micro-vm.ts';
import { microVMs, nodes, pods } from '../../src/api/resources.ts';
import { readFakeMachine } from '../../src/compute/fake/provider.ts';
import { PROFILE_LABEL, SCHEDULER } from '../../src/core/names.ts';
import { until } from '../../src/host/wait.ts';
import { ConnectionError, isAlreadyExists, isNotFound } from '../../src/kube/client.ts';
import { type Store, watchStore } from '../../src/kube/store.ts';
import { podIn, type TestProduct } from '../support/product.ts';

/** How long and how hard. */
export interface Soak {
  readonly namespace: string;
  readonly cycles: number;
  /** Pods at the same time; more than there are addresses, so that some always wait. */
  readonly tenants: number;
  /** Addresses in all. */
  readonly addresses: number;
  readonly seed: number;
}

/** What a soak came to. */
export interface Figures {
  readonly cycles: number;
  readonly seconds: number;
  readonly given: number;
  readonly kills: number;
  readonly cuts: number;
  readonly silences: number;
  readonly restarts: number;
}

type Random = () => number;

/** Mulberry32: the same seed, the same numbers from 0 to 1. */
const randomFrom = (seed: number): Random => {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
};

const quiet = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

/** Follows machines as the API server tells of them, and notes every address that two of them have. */
const watchAddresses = async ({ client }: TestProduct) => {
  const holders = new Map<string, string>();
  const twice: string[] = [];
  let given = 0;
  const store: Store<MicroVM> = watchStore(client, microVMs, { log: quiet });
  store.onChange((name, now, before) => {
    if (before !== undefined) holders.delete(before.spec.placement.address);
    if (now === undefined) return;
    const { address } = now.spec.placement;
    const holder = holders.get(address);
    // After an outage all changes come at once, in no order; the store has what is true after them.
    if (holder !== undefined && holder !== name && store.get(holder) !== undefined)
      twice.push(`${address}: ${holder} and ${name}`);
    if (before === undefined) given += 1;
    holders.set(address, name);
  });
  await store.synced;
  return { store, twice, given: () => given };
};

/** Addresses that two machines on the host have, seen twice in a row: a look at many files takes a while. */
const twiceOnHost = ({ machines, machineNames }: TestProduct): readonly string[] => {
  const look = (): ReadonlySet<string> => {
    const seen = new Map<string, string>();
    const found = new Set<string>();
    for (const name of machineNames()) {
      const address = readFakeMachine(machines, name)?.machine.placement.address;
      if (address === undefined) continue;
      const other = seen.get(address);
      if (other !== undefined) found.add(`${address}: ${other} and ${name}`);
      seen.set(address, name);
    }
    return found;
  };
  const first = look();
  return first.size === 0 ? [] : [...look()].filter((one) => first.has(one));
};

/** Calls again while there is no API server. */
const persist = <T>(call: () => Promise<T>, what: string): Promise<T> =>
  until(
    async () => {
      try {
        return { result: await call() };
      } catch (cause) {
        if (cause instanceof ConnectionError) return undefined;
        throw cause;
      }
    },
    { limitMs: 60_000, what, everyMs: 100 },
  ).then(({ result }) => result);

/** One pod, created with the marks of admission, which may be away; it stays for a random while. */
const live = async (
  name: string,
  soak: Soak,
  random: Random,
  product: TestProduct,
  store: Store<MicroVM>,
) => {
  const { client } = product;
  const { namespace } = soak;
  const pod = podIn(namespace, name, { schedulerName: SCHEDULER });
  const marked = { ...pod, metadata: { ...pod.metadata, labels: { [PROFILE_LABEL]: namespace } } };
  const created = await persist(
    () =>
      client.create(pods, marked).catch((cause) => {
        if (isAlreadyExists(cause)) return client.get(pods, { namespace, name });
        throw cause;
      }),
    `pod ${name} to be created`,
  );
  if (random() < 0.9)
    await until(() => store.get(`vm-${created.metadata.uid}`), {
      limitMs: 120_000,
      what: `pod ${name} to have its machine`,
      everyMs: 20,
    });
  await persist(
    () =>
      client.delete(pods, { namespace, name }, { gracePeriodSeconds: 0 }).catch((cause) => {
        if (!isNotFound(cause)) throw cause;
      }),
    `pod ${name} to be deleted`,
  );
};

interface Counts {
  kills: number;
  cuts: number;
  silences: number;
  restarts: number;
}

/** One fault after another until the tenants are done. */
const disturb = async (product: TestProduct, random: Random, counts: Counts, goesOn: () => boolean) => {
  const some = (least: number, most: number): Promise<unknown> => {
    const end = performance.now() + least + random() * (most - least);
    return until(() => performance.now() >= end || !goesOn(), {
      limitMs: most + 5_000,
      what: 'the next fault',
    });
  };
  while (goesOn()) {
    await some(500, 6_000);
    if (!goesOn()) return;
    const dice = random();
    if (dice < 0.6) {
      counts.kills += 1;
      await product.kill();
      await product.start();
    } else if (dice < 0.8) {
      counts.cuts += 1;
      product.faults?.cut();
      await some(100, 1_500);
      product.faults?.heal();
    } else if (dice < 0.95) {
      counts.silences += 1;
      product.faults?.silence();
      await some(100, 1_500);
      product.faults?.heal();
    } else {
      counts.restarts += 1;
      await product.restartApiServer();
    }
  }
};

/** Runs a soak. @throws when an address was given twice, or is not given back */
export const soakAddresses = async (product: TestProduct, soak: Soak): Promise<Figures> => {
  const random = randomFrom(soak.seed);
  const started = performance.now();
  const { store, twice, given } = await watchAddresses(product);
  const counts: Counts = { kills: 0, cuts: 0, silences: 0, restarts: 0 };
  const onHost: string[] = [];
  let next = 0;
  const tenant = async (): Promise<void> => {
    while (next < soak.cycles) {
      next += 1;
      await live(`p${next}`, soak, random, product, store);
      if (random() < 0.2) onHost.push(...twiceOnHost(product));
    }
  };
  let done = false;
  const disturbance = disturb(product, random, counts, () => !done);
  try {
    await Promise.all(Array.from({ length: soak.tenants }, tenant));
  } finally {
    done = true;
    await disturbance;
    store.stop();
  }
  expect({ twice, onHost }).toEqual({ twice: [], onHost: [] });
  await allGivenBack(product, soak);
  const seconds = Math.round((performance.now() - started) / 1000);
  return { cycles: soak.cycles, seconds, given: given(), ...counts };
};

/** Nothing is left, and as many pods as there are addresses get one each. */
const allGivenBack = async (product: TestProduct, { namespace, addresses }: Soak): Promise<void> => {
  const { client } = product;
  const left = async () => [...(await client.list(microVMs)), ...(await client.list(nodes))].length;
  await until(async () => (await left()) === 0 && product.machineNames().length === 0, {
    limitMs: 120_000,
    what: 'all machines, Nodes and MicroVMs to be gone',
    everyMs: 200,
  });
  const names = Array.from({ length: addresses + 1 }, (_, i) => `last${i}`);
  for (const name of names) await client.create(pods, podIn(namespace, name));
  const taken = await until(
    async () => {
      const all = await client.list(microVMs);
      return all.length === addresses && all.map(({ spec }) => spec.placement.address);
    },
    { limitMs: 60_000, what: `all ${addresses} addresses to be given`, everyMs: 200 },
  );
  expect(new Set(taken).size).toBe(addresses);
  for (const name of names) await client.delete(pods, { namespace, name }, { gracePeriodSeconds: 0 });
};
