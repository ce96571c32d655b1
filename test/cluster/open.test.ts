/** What a profile allows beyond the original, as far as it can be seen without guests; and that plan foresees it. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fargateProfiles, microVMs, nodes, pods, subnets } from '../../src/api/resources.ts';
import { planAll } from '../../src/cli/plan.ts';
import { liveSurroundings } from '../../src/cli/surroundings.ts';
import type { Pod, PodSpec } from '../../src/core/pod.ts';
import { until } from '../../src/host/wait.ts';
import {
  ensureFargate,
  podIn,
  startProduct,
  type TestProduct,
  untilPhase,
  untilUsable,
} from '../support/product.ts';

const NS = 'open';
const ZONE = 'topology.kubernetes.io/zone';
const POLICY = {
  topology: true,
  sysctls: true,
  rlimits: { nofile: { soft: 4096, hard: 8192 } },
  nodeLabels: { pool: 'wide' },
};

let product: TestProduct;
const client = () => product.client;

beforeAll(async () => {
  product = await startProduct();
  await ensureFargate(client(), NS);
  await client().create(subnets, {
    apiVersion: 'cloister.dev/v1alpha1',
    kind: 'Subnet',
    metadata: { name: 'b' },
    spec: { cidr: '10.0.16.0/20', zone: 'local-1b', type: 'private' },
  });
  await client().patch(fargateProfiles, { name: NS }, { spec: { policy: POLICY } }, { type: 'merge' });
  // Admission and scheduler follow by their watches.
  await untilUsable(client(), 'b', 'True');
  await until(
    async () => (await client().create(pods, podIn(NS, 'try'), { dryRun: true })).spec.priority === 0,
    { limitMs: 30_000, what: 'the policy to be live' },
  );
}, 180_000);

afterAll(() => product?.stop(), 60_000);

const app = (name: string, label: string, spec: Partial<PodSpec> = {}): Pod => {
  const pod = podIn(NS, name, spec);
  return { ...pod, metadata: { ...pod.metadata, labels: { app: label } } };
};
const selecting = (label: string) => ({ labelSelector: { matchLabels: { app: label } }, topologyKey: ZONE });

const zoneOf = async (name: string): Promise<string> => {
  const { metadata } = await untilPhase(client(), NS, name, 'Running');
  const { spec } = await client().get(microVMs, { name: `vm-${metadata.uid}` });
  return spec.placement.zone;
};

const refusalOf = (name: string): Promise<string> =>
  until(
    async () => {
      const { status } = await client().get(pods, { namespace: NS, name });
      return status?.conditions?.find(({ type, reason }) => type === 'PodScheduled' && reason !== undefined)
        ?.message;
    },
    { limitMs: 30_000, what: `${name} to be told why it waits` },
  );

const foreseen = async (pod: Pod) => {
  const [plan] = await planAll([{ ...pod }], await liveSurroundings(client()), NS, client());
  return { runs: plan?.runs, message: plan?.message };
};

describe('a profile that honours topology', () => {
  it('spreads pods over zones', async () => {
    const spread = {
      topologySpreadConstraints: [{ maxSkew: 1, whenUnsatisfiable: 'DoNotSchedule', ...selecting('spread') }],
    };
    const names = ['s0', 's1', 's2', 's3'];
    for (const name of names) {
      const pod = app(name, 'spread', spread);
      expect(await foreseen(pod)).toEqual({ runs: true, message: null });
      await client().create(pods, pod);
      await zoneOf(name);
    }
    const zones = await Promise.all(names.map(zoneOf));
    expect(zones.toSorted()).toEqual(['local-1a', 'local-1a', 'local-1b', 'local-1b']);
  }, 120_000);

  it('spreads pods that come at once', async () => {
    const spread = {
      topologySpreadConstraints: [{ maxSkew: 1, whenUnsatisfiable: 'DoNotSchedule', ...selecting('burst') }],
    };
    const names = Array.from({ length: 8 }, (_, i) => `burst${i}`);
    await Promise.all(names.map((name) => client().create(pods, app(name, 'burst', spread))));
    const zones = await Promise.all(names.map(zoneOf));
    expect(zones.filter((zone) => zone === 'local-1a')).toHaveLength(4);
  }, 120_000);

  it('keeps pods apart, and starts one that waited when another goes', async () => {
    const apart = {
      affinity: {
        podAntiAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [selecting('apart')] },
      },
    };
    for (const name of ['a0', 'a1']) {
      await client().create(pods, app(name, 'apart', apart));
      await zoneOf(name);
    }
    const third = app('a2', 'apart', apart);
    const message = `Zone local-1a is excluded by the required anti-affinity of the pod over ${ZONE}; Zone local-1b is excluded by the required anti-affinity of the pod over ${ZONE}`;
    expect(await foreseen(third)).toEqual({ runs: false, message });
    await client().create(pods, third);
    expect(await refusalOf('a2')).toBe(message);
    const freed = await zoneOf('a0');
    await client().delete(pods, { namespace: NS, name: 'a0' });
    expect(await zoneOf('a2')).toBe(freed);
  }, 120_000);

  it('puts pods beside a pod of another scheduler, and starts one that waited for its partner', async () => {
    await client().create(nodes, {
      apiVersion: 'v1',
      kind: 'Node',
      metadata: { name: 'ordinary', labels: { [ZONE]: 'local-1b' } },
    });
    const partner = app('partner', 'base', { nodeName: 'ordinary', schedulerName: 'another' });
    const beside = {
      affinity: { podAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [selecting('base')] } },
    };
    await client().create(pods, partner);
    await client().create(pods, app('beside', 'x', beside));
    expect(await zoneOf('beside')).toBe('local-1b');

    const follower = {
      affinity: { podAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [selecting('late')] } },
    };
    await client().create(pods, app('follower', 'x', follower));
    expect(await refusalOf('follower')).toBe(
      `Zone local-1a does not meet the pod's required affinity over ${ZONE}; Zone local-1b does not meet the pod's required affinity over ${ZONE}`,
    );
    await client().create(pods, app('leader', 'late'));
    expect(await zoneOf('follower')).toBe(await zoneOf('leader'));
  }, 120_000);
});

describe('a machine under such a profile', () => {
  it('carries what the profile gives, frozen, and its Node the labels', async () => {
    await client().create(pods, app('labelled', 'x', { nodeSelector: POLICY.nodeLabels }));
    const pod = await untilPhase(client(), NS, 'labelled', 'Running');
    const { spec } = await client().get(microVMs, { name: `vm-${pod.metadata.uid}` });
    const { rlimits, sysctls, nodeLabels } = POLICY;
    expect(spec.opened).toEqual({ rlimits, sysctls, nodeLabels });
    const node = await client().get(nodes, { name: pod.spec.nodeName ?? '' });
    expect(node.metadata.labels).toMatchObject({
      ...nodeLabels,
      'eks.amazonaws.com/compute-type': 'fargate',
    });
  }, 60_000);
});
