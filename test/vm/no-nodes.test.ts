/** A cluster of machines only: even its DNS runs on one (spec/fargate.md §5.6). */
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Pod } from '../../src/core/pod.ts';
import { kubectlOf } from '../support/kubectl.ts';
import {
  fargateNamespace,
  readyAccount,
  readyNamespace,
  readyProfile,
  shellPod,
} from '../support/machines.ts';
import { componentsFolder } from '../support/run.ts';
import { tool } from '../support/tool.ts';

const NAME = 'clonone';

let cluster: ReturnType<typeof kubectlOf>;

beforeAll(async () => {
  await tool('up', '--name', NAME, '--no-nodes', '--no-demo', '--components', componentsFolder());
  cluster = kubectlOf((await tool('kubeconfig', '--name', NAME)).trim());
  await readyAccount('default', cluster);
}, 320_000);

afterAll(() => tool('down', '--name', NAME), 120_000);

it('has no node at all', async () => {
  expect(await cluster.kubectl(['get', 'nodes', '-o', 'name'])).toBe('');
});

it('leaves a pod that matches no profile to the default scheduler, which has no node for it', async () => {
  await cluster.apply(shellPod('default', 'nobody', 'sleep infinity'));
  await cluster.kubectlUntil(
    ['get', 'pod', 'nobody', '-o', 'jsonpath={.spec.schedulerName} {.status.conditions[0].message}'],
    (text) => text.startsWith('default-scheduler no nodes available'),
    'the default scheduler to say that there is no node',
    60_000,
  );
});

it('keeps the cluster DNS Pending until a profile and the patch of the original put it on Fargate', async () => {
  const dns = ['get', 'pods', '-n', 'kube-system', '-l', 'k8s-app=kube-dns'];
  await cluster.kubectlUntil(
    [...dns, '-o', 'jsonpath={.items[*].status.phase} {.items[*].status.conditions[0].message}'],
    (text) => text.startsWith('Pending no nodes available'),
    'the default scheduler to say that it has no node for the cluster DNS',
    60_000,
  );
  await cluster.apply({
    apiVersion: 'cloister.dev/v1alpha1',
    kind: 'FargateProfile',
    metadata: { name: 'coredns' },
    spec: { selectors: [{ namespace: 'kube-system', labels: { 'k8s-app': 'kube-dns' } }] },
  });
  await readyProfile('coredns', cluster);
  const remove = {
    op: 'remove',
    path: '/spec/template/metadata/annotations/eks.amazonaws.com~1compute-type',
  };
  await cluster.kubectl([
    'patch',
    'deployment',
    'coredns',
    '-n',
    'kube-system',
    '--type=json',
    `-p=${JSON.stringify([remove])}`,
  ]);
  await cluster.kubectl(['rollout', 'status', '-n', 'kube-system', 'deployment/coredns', '--timeout=240s'], {
    limitMs: 250_000,
  });
  const { items } = JSON.parse(await cluster.kubectl([...dns, '-o', 'json'])) as { items: Pod[] };
  expect(items.map(({ spec }) => spec.nodeName?.startsWith('fargate-ip-'))).toEqual([true]);
}, 300_000);

it('resolves names from another machine, once its DNS runs', async () => {
  await cluster.apply(...fargateNamespace('apps'));
  await readyNamespace('apps', cluster);
  await cluster.apply(shellPod('apps', 'client', 'sleep infinity'));
  await cluster.kubectl(['wait', '-n', 'apps', 'pod/client', '--for=condition=Ready', '--timeout=240s'], {
    limitMs: 250_000,
  });
  const answer = await cluster.kubectl([
    'exec',
    '-n',
    'apps',
    'client',
    '--',
    'nslookup',
    'kubernetes.default.svc.cluster.local',
  ]);
  expect(answer).toContain('10.96.0.1');
}, 300_000);
