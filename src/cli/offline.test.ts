/** Plans by files that are not all of a cluster, or not right. */
import { describe, expect, it } from 'vitest';
import type { Document } from './documents.ts';
import { planAll } from './plan.ts';
import { planText } from './plan-text.ts';
import { toldSurroundings, withManifest } from './told-surroundings.ts';

const profile = (spec: object): Document => ({
  apiVersion: 'cloister.dev/v1alpha1',
  kind: 'FargateProfile',
  metadata: { name: 'apps' },
  spec,
});
const PROFILE = profile({ selectors: [{ namespace: 'apps', labels: { on: 'fargate' } }], subnets: ['a'] });
const SUBNET: Document = {
  kind: 'Subnet',
  metadata: { name: 'a' },
  spec: { cidr: '10.0.0.0/28', zone: 'local-1a', type: 'private' },
};
const pod = (container: object = {}): Document => ({
  kind: 'Pod',
  metadata: { name: 'p', namespace: 'apps', labels: { on: 'fargate' } },
  spec: { containers: [{ name: 'c', image: 'i', ...container }] },
});

const textOf = async (told: readonly Document[], object: Document): Promise<string> => {
  const [plan] = await planAll([object], toldSurroundings(told), 'default', undefined);
  if (plan === undefined) throw new Error('the pod was not planned');
  return planText({ ...plan, price: null, start: null });
};

describe('a plan by files', () => {
  it('tells the room of subnets that it knows, and of no others', async () => {
    expect(await textOf([PROFILE, SUBNET], pod())).toContain('a (local-1a): 11 of 11 free');
    const unknown = await textOf([PROFILE], pod());
    expect(unknown).toContain('note       subnets are not known and count as having room');
    expect(unknown).not.toMatch(/free|local-1a/);
  });

  it('tells an edit with what it writes', async () => {
    const large = pod({ resources: { requests: { cpu: '17' } } });
    expect(await textOf([PROFILE], large)).toContain(
      'add /spec/containers/0/resources/requests/cpu "16000m"\n',
    );
  });

  it('tells how long starts take, of pods that run', async () => {
    const [plan] = await planAll([pod()], toldSurroundings([PROFILE]), 'default', undefined);
    if (plan === undefined) throw new Error('the pod was not planned');
    const told = (samples: number, runs = true) =>
      planText({ ...plan, runs, price: null, start: { medianSeconds: 20, p90Seconds: 30, samples } });
    expect(told(7)).toContain('start      20 s as a rule, 30 s for the slowest tenth (of 7 starts)\n');
    expect(told(1)).toContain('start      20 s took the only start that is known\n');
    expect(told(7, false)).not.toContain('start ');
  });

  it.each<[string, object, string]>([
    [
      'a mistyped field, which would widen the selector',
      { selectors: [{ namespace: 'apps', label: { on: 'fargate' } }] },
      'there is no field spec.selectors[0].label',
    ],
    [
      'a mistyped policy',
      { selectors: [{ namespace: 'a' }], policy: { privilege: true } },
      'there is no field spec.policy.privilege',
    ],
    ['no selector', { selectors: [] }, 'Fargate Profile requires at least one selector.'],
    [
      'a namespace that is no text',
      { selectors: [{ namespace: 7 }] },
      'spec/selectors/0/namespace must be string',
    ],
  ])('says where a profile is wrong: %s', (_, spec, problem) => {
    const message = `FargateProfile apps: ${problem}`;
    expect(() => toldSurroundings([profile(spec)])).toThrow(message);
    expect(() => withManifest(toldSurroundings([PROFILE]), [profile(spec)], 'apps')).toThrow(message);
  });

  it('takes labels and policies as they are', () => {
    const spec = { ...(PROFILE['spec'] as object), policy: { nodeLabels: { disk: 'ssd' }, volumes: true } };
    expect(toldSurroundings([profile(spec)]).profiles).toHaveLength(1);
  });
});
