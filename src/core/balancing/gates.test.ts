import { describe, expect, it } from 'vitest';
import { applyPatch } from '../json-patch.ts';
import type { Pod } from '../pod.ts';
import { closedGates, gateCondition, gatePatch, waitsForBalancer } from './gates.ts';

const AWS = 'service.beta.kubernetes.io/aws-load-balancer-';
const GATE = 'target-health.elbv2.k8s.aws/k8s-shop-web-b2dbe2f7a5';

const service = (name: string, selector: Record<string, string>, extra = {}) => ({
  metadata: {
    namespace: 'shop',
    name,
    annotations: { [`${AWS}type`]: 'external', [`${AWS}nlb-target-type`]: 'ip' },
    finalizers: ['cloister.dev/balancer'],
    ...extra,
  },
  spec: { type: 'LoadBalancer', selector, ports: [{ port: 80 }, { name: 'dns', port: 53, protocol: 'UDP' }] },
});

const pod = (gates: readonly string[], conditions: Record<string, string> = {}, extra = {}): Pod => ({
  metadata: { namespace: 'shop', name: 'p', labels: { app: 'web', tier: 'front' }, ...extra },
  spec: { containers: [], readinessGates: gates.map((conditionType) => ({ conditionType })) },
  status: { conditions: Object.entries(conditions).map(([type, status]) => ({ type, status })) },
});

/** The gates of a pod that is created. */
const patched = (one: Pod, ...services: ReturnType<typeof service>[]) =>
  gatePatch(one, services, []).map(({ value }) =>
    (value as { conditionType: string }[]).map(({ conditionType }) =>
      conditionType.replace(/[0-9a-f]{10}$/, ''),
    ),
  );

describe('a pod that is created', () => {
  it('gets a gate for each pool whose Service selects it, besides those that it has', () => {
    expect(
      patched(pod(['other']), service('web', { app: 'web' }), service('a-long-name', { tier: 'front' })),
    ).toEqual([
      [
        'other',
        'target-health.elbv2.k8s.aws/k8s-shop-web-',
        'target-health.elbv2.k8s.aws/k8s-shop-alongnam-',
      ],
    ]);
  });

  it.each([[{ app: 'other' }], [{ app: 'web', tier: 'back' }], [{}]])(
    'gets none when %j selects',
    (selector) => {
      expect(patched(pod([]), service('web', selector))).toEqual([]);
    },
  );

  it.each([{ finalizers: [] }, { deletionTimestamp: '2026-01-01T00:00:00Z' }])(
    'gets none where no balancer would open it: %j',
    (extra) => {
      expect(patched(pod([]), service('web', { app: 'web' }, extra))).toEqual([]);
    },
  );

  it('gets no gate twice', () => {
    const web = service('web', { app: 'web' });
    const gated = applyPatch({ ...pod([]), spec: { containers: [] } }, gatePatch(pod([]), [web], []));
    expect(gatePatch(gated, [web], [])).toEqual([]);
  });
});

describe('a gate', () => {
  it('is closed until its condition is true, and then for good', () => {
    expect(closedGates(pod([GATE, 'other'], { [GATE]: 'False' }))).toEqual([GATE]);
    expect(closedGates(pod([GATE], { [GATE]: 'True' }))).toEqual([]);
  });

  it.each([
    [{ ContainersReady: 'True' }, {}, true],
    [{ ContainersReady: 'False' }, {}, false],
    [{ ContainersReady: 'True' }, { deletionTimestamp: '2026-01-01T00:00:00Z' }, false],
  ])('lets a pod with %j be a target early: %j', (conditions, extra, waits) => {
    expect(waitsForBalancer(pod([GATE], conditions as Record<string, string>, extra))).toBe(waits);
  });

  it('is written only where its status changes', () => {
    const now = '2026-01-01T00:00:00Z';
    expect(gateCondition(pod([GATE]), GATE, 'waiting', now)).toMatchObject({ status: 'False' });
    expect(gateCondition(pod([GATE], { [GATE]: 'False' }), GATE, 'waiting', now)).toBeUndefined();
    expect(gateCondition(pod([GATE], { [GATE]: 'False' }), GATE, 'healthy', now)).toEqual({
      type: GATE,
      status: 'True',
      reason: 'Healthy',
      message: 'the target is healthy',
      lastTransitionTime: now,
    });
    expect(gateCondition(pod([GATE], { [GATE]: 'False' }), GATE, 'gone', now)).toMatchObject({
      status: 'True',
      reason: 'Target.NotRegistered',
    });
  });
});
