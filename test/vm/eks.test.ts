/** An AWS client creates a profile in the embedded cluster, and a pod runs under it on a machine of its own. */
import * as eks from '@aws-sdk/client-eks';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { REGION } from '../../src/cluster/plan.ts';
import { readRecord } from '../../src/cluster/record.ts';
import { ensureAdminKey } from '../../src/eks/access.ts';
import { KubeClient } from '../../src/kube/client.ts';
import { loadKubeconfig } from '../../src/kube/kubeconfig.ts';
import { apply, kubectl, printed } from '../support/kubectl.ts';
import { readyAccount, readyPod, shellPod } from '../support/machines.ts';
import { clusterOfRun, kubeconfigOfRun } from '../support/run.ts';

const NAME = 'by-aws';
const record = readRecord(clusterOfRun().state);
let client: eks.EKSClient;

beforeAll(async () => {
  const kube = new KubeClient(loadKubeconfig(kubeconfigOfRun()));
  const credentials = await ensureAdminKey(kube);
  await kube.close();
  const endpoint = `http://127.0.0.1:${record?.ports['eks']}`;
  client = new eks.EKSClient({ endpoint, region: REGION, credentials });
  await kubectl(['create', 'namespace', NAME]);
  await readyAccount(NAME);
});

afterAll(async () => {
  client?.destroy();
  await kubectl(['delete', 'namespace', NAME, '--ignore-not-found', '--timeout=180s'], { limitMs: 200_000 });
}, 240_000);

it('runs a pod under a profile that an AWS client made, and takes it along', async () => {
  const profile = { clusterName: record?.name, fargateProfileName: NAME };
  const podExecutionRoleArn = 'arn:aws:iam::000000000000:role/pods';
  const selectors = [{ namespace: NAME, labels: { app: 'w*' } }];
  await client.send(new eks.CreateFargateProfileCommand({ ...profile, podExecutionRoleArn, selectors }));
  await eks.waitUntilFargateProfileActive({ client, maxWaitTime: 60, minDelay: 1, maxDelay: 1 }, profile);
  await apply(shellPod(NAME, 'web', 'echo runs; sleep 3600'));
  const pod = await readyPod(NAME, 'web');
  expect(pod.spec.nodeName).toMatch(/^fargate-ip-10-42-/);
  expect(await printed(kubectl, '-n', NAME, 'web')).toBe('runs');
  await client.send(new eks.DeleteFargateProfileCommand(profile));
  const gone = await eks.waitUntilFargateProfileDeleted(
    { client, maxWaitTime: 120, minDelay: 1, maxDelay: 2 },
    profile,
  );
  expect(gone.state).toBe('SUCCESS');
  expect(await kubectl(['-n', NAME, 'get', 'pods', '-o', 'name'])).toBe('');
}, 420_000);
