/** Whatever `cloister plan` says of a pod, the cluster then does; and `why` tells the truth about what it did. */
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  fargateProfiles,
  namespaces,
  persistentVolumeClaims,
  persistentVolumes,
  pods,
} from '../../src/api/resources.ts';
import { planAll } from '../../src/cli/plan.ts';
import { liveSurroundings } from '../../src/cli/surroundings.ts';
import type { Plan } from '../../src/core/plan/plan.ts';
import type { Why } from '../../src/core/plan/why.ts';
import type { Pod } from '../../src/core/pod.ts';
import { until } from '../../src/host/wait.ts';
import { ApiError } from '../../src/kube/client.ts';
import { cloister as runCloister } from '../support/cloister.ts';
import { podMetadata, podSpecs } from '../support/pod-specs.ts';
import { ensureFargate, podIn, startProduct, type TestProduct, untilPhase } from '../support/product.ts';

const NS = 'apps';
/** Pods of the property; each is planned, created and waited for. */
const PODS = 150;

/** A namespace whose profile allows everything; fewer pods, each of which looks at the others. */
const OPEN = 'open';
const OPEN_PODS = 50;
const EVERYTHING = {
  ...{ privileged: true, capabilities: true, hostNamespaces: true, hostPorts: true, volumes: true },
  ...{ sysctls: true, topology: true, nodeLabels: { disk: 'ssd' } },
};

let product: TestProduct;

beforeAll(async () => {
  product = await startProduct();
  await ensureFargate(product.client, NS);
  await ensureFargate(product.client, OPEN);
  const opening = { spec: { policy: EVERYTHING } };
  await product.client.patch(fargateProfiles, { name: OPEN }, opening, { type: 'merge' });
  await claim('unbound');
  await volume('efs', 'efs.csi.aws.com');
  await volume('ebs', 'ebs.csi.aws.com');
  await claim('bound-efs', 'efs');
  await claim('bound-ebs', 'ebs');
  await until(async () => (await bound('bound-efs')) && (await bound('bound-ebs')), {
    limitMs: 60_000,
    what: 'the claims to be bound',
  });
  for (const name of ['bound-efs', 'bound-ebs']) await untilSeen(name);
}, 180_000);

afterAll(() => product?.stop(), 60_000);

const claim = (name: string, volumeName?: string): Promise<unknown> =>
  product.client.create(persistentVolumeClaims, {
    metadata: { namespace: NS, name },
    spec: {
      storageClassName: volumeName === undefined ? 'nobody-provides-it' : '',
      accessModes: ['ReadWriteOnce'],
      resources: { requests: { storage: '1Gi' } },
      ...(volumeName && { volumeName }),
    },
  });

const volume = (name: string, driver: string): Promise<unknown> =>
  product.client.create(persistentVolumes, {
    metadata: { name },
    spec: {
      capacity: { storage: '1Gi' },
      accessModes: ['ReadWriteOnce'],
      csi: { driver, volumeHandle: `handle-${name}` },
      storageClassName: '',
    },
  });

const bound = async (name: string): Promise<boolean> =>
  (await product.client.get(persistentVolumeClaims, { namespace: NS, name })).status?.phase === 'Bound';

/** Waits until the scheduler, too, knows that a claim is bound: a pod is told so, or runs. */
const untilSeen = async (claimName: string): Promise<void> => {
  const { client } = product;
  const key = { namespace: NS, name: `claims-${claimName}` };
  const volumes = [{ name: 'v', persistentVolumeClaim: { claimName } }];
  await client.create(pods, podIn(key.namespace, key.name, { volumes }));
  await until(
    async () => {
      const deed = deedOf(await client.get(pods, key));
      return deed !== undefined && !/not (found|bound)/.test(deed.message ?? '');
    },
    { limitMs: 30_000, what: `the scheduler to know that ${claimName} is bound` },
  );
  await client.delete(pods, key);
};

/** What the cluster did with a pod, in the words of a plan. */
type Deed = Pick<Plan, 'profile' | 'runs' | 'message'> & { readonly size?: string | undefined };

const PROFILE = 'eks.amazonaws.com/fargate-profile';

/** What became of a pod; undefined while nothing has yet. */
const deedOf = ({ metadata, spec, status }: Pod): Deed | undefined => {
  const optedOut = metadata.annotations?.['eks.amazonaws.com/compute-type'] === 'ec2';
  const { namespace = '' } = metadata;
  const matches = metadata.labels?.[PROFILE] === namespace && !optedOut;
  const profile = matches ? namespace : null;
  if (spec.schedulerName !== 'fargate-scheduler') return { profile: null, runs: false, message: null };
  if (spec.nodeName !== undefined)
    return { profile, runs: true, message: null, size: metadata.annotations?.['CapacityProvisioned'] };
  const told = status?.conditions?.find(({ type }) => type === 'PodScheduled');
  return told?.status === 'False' ? { profile, runs: false, message: told.message ?? '' } : undefined;
};

/** Creates the pod and waits until its fate is known. */
const happened = async (pod: Pod): Promise<Deed | 'invalid'> => {
  const { client } = product;
  try {
    await client.create(pods, pod);
  } catch (cause) {
    if (cause instanceof ApiError && cause.status === 422) return 'invalid';
    throw cause;
  }
  const { namespace = '', name = '' } = pod.metadata;
  return until(async () => deedOf(await client.get(pods, { namespace, name })), {
    limitMs: 60_000,
    what: `something to become of ${name}`,
  });
};

const planned = async (pod: Pod): Promise<Plan> => {
  const near = await liveSurroundings(product.client);
  const [plan] = await planAll([{ ...pod }], near, 'default', product.client);
  if (plan === undefined) throw new Error('a pod was not planned');
  return plan;
};

describe('a plan', () => {
  it.each([
    [NS, PODS],
    [OPEN, OPEN_PODS],
  ])(
    'says what the cluster then does: in %s',
    async (namespace, count) => {
      const samples = fc.sample(fc.tuple(podSpecs, podMetadata), { numRuns: count, seed: 20_260_101 });
      const objects = samples.map(
        ([spec, metadata], i): Pod => ({
          apiVersion: 'v1',
          kind: 'Pod',
          metadata: { ...metadata, namespace, name: `p${i}` },
          spec,
        }),
      );
      const plans: Plan[] = [];
      const deeds: (Deed | 'invalid')[] = [];
      for (const object of objects) {
        plans.push(await planned(object));
        deeds.push(await happened(object));
      }
      for (const [i, plan] of plans.entries()) {
        const deed = deeds[i];
        if (deed === 'invalid') {
          expect(plan, JSON.stringify(objects[i])).toMatchObject({ runs: false });
          continue;
        }
        const { profile, runs, message, size } = plan;
        const said: Deed = { profile, runs, message, ...(runs ? { size: size ?? '' } : {}) };
        expect(said, JSON.stringify(objects[i])).toEqual(deed);
      }
      const running = deeds.filter((deed) => deed !== 'invalid' && deed?.runs);
      expect(running.length).toBeGreaterThan(count / 20); // the property saw both sides
    },
    300_000,
  );
});

const cloister = (args: readonly string[], input = '') => runCloister(product, args, input);

const whyOf = async (name: string, namespace: string): Promise<Why> => {
  const { out, err } = await cloister(['why', `pod/${name}`, '-n', namespace, '-o', 'json']);
  if (out === '') throw new Error(err);
  return JSON.parse(out) as Why;
};

describe('the command line', () => {
  const manifest = JSON.stringify({
    apiVersion: 'v1',
    kind: 'List',
    items: [
      { kind: 'ConfigMap', metadata: { name: 'c' } },
      { kind: 'Pod', metadata: { name: 'good' }, spec: { containers: [{ name: 'c', image: 'i' }] } },
      {
        kind: 'Pod',
        metadata: { name: 'bad' },
        spec: { hostPID: true, containers: [{ name: 'c', image: 'i' }] },
      },
    ],
  });

  it('plans what comes in on standard input', async () => {
    const { code, out, err } = await cloister(['plan', '-f', '-', '-n', NS, '-o', 'json'], manifest);
    expect([err, code]).toEqual(['', 1]);
    const common = { kind: 'Pod', namespace: NS, profile: NS, size: '0.25vCPU 0.5GB' };
    expect(JSON.parse(out)).toMatchObject([
      { ...common, name: 'good', runs: true, message: null, fix: null },
      {
        ...common,
        name: 'bad',
        runs: false,
        message: 'Pod not supported on Fargate: fields not supported: HostPID',
        fix: [{ op: 'remove', path: '/spec/hostPID' }],
      },
    ]);
  }, 60_000);

  it('tells why a pod that is older than its profile stays where it is', async () => {
    const { client } = product;
    await client.create(namespaces, { metadata: { name: 'later' } });
    const pod = (name: string): Pod => ({
      metadata: { namespace: 'later', name },
      spec: { containers: [{ name: 'c', image: 'i' }] },
    });
    await until(() => client.create(pods, pod('first')), {
      limitMs: 30_000,
      what: 'the namespace to take pods',
    });
    expect(await whyOf('first', 'later')).toMatchObject({
      profile: null,
      because: 'no Fargate profile matches the pod; it is left to default-scheduler',
    });
    // Times of objects have whole seconds: the profile has to be younger by one.
    const { creationTimestamp = '' } = (await client.get(pods, { namespace: 'later', name: 'first' }))
      .metadata;
    await until(() => Date.now() > Date.parse(creationTimestamp) + 1_000, {
      limitMs: 5_000,
      what: 'a second to pass',
    });
    await ensureFargate(client, 'later');
    expect((await whyOf('first', 'later')).because).toMatch(
      /^Fargate profile later matches, but it was created at .*, after the pod .*delete the pod to have it made again$/,
    );
    await client.delete(pods, { namespace: 'later', name: 'first' }, { gracePeriodSeconds: 0 });
    await until(
      async () => (await client.create(pods, pod('first'))).spec.schedulerName === 'fargate-scheduler',
      {
        limitMs: 30_000,
        what: 'the pod to be made again',
      },
    );
    await untilPhase(client, 'later', 'first', 'Running');
    const why = await whyOf('first', 'later');
    expect(why).toMatchObject({ profile: 'later', because: 'it runs on a machine of its own' });
    await client.delete(pods, { namespace: 'later', name: 'first' });
    await client.delete(fargateProfiles, { name: 'later' });
  }, 120_000);

  it.each([
    [['why', 'pod/nobody'], 'cloister: there is no pod nobody in namespace default\n'],
    [['why', 'deployment/x'], 'cloister: deployment/x names no pod: write pod/NAME\n'],
    [['plan', '-f', '/nowhere'], 'cloister: /nowhere cannot be read: '],
    [['plan', '-f', '-', '-o', 'yaml'], 'cloister: no output format yaml: write text or json\n'],
    [['plan', '-f', '-'], 'cloister: no object of - makes pods\n'],
  ])(
    'says what is wrong with %j',
    async (args, message) => {
      const { code, err } = await cloister(args);
      expect(err).toContain(message);
      expect(code).toBe(2);
    },
    60_000,
  );
});
