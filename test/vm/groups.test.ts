/** A pod with security groups on a real guest, from its policy to its names (spec/fargate.md §6, §6.1). */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { networks } from '../../src/api/resources.ts';
import { connect } from '../../src/cli/connect.ts';
import { NETWORK } from '../../src/core/net/network.ts';
import { apply, kubectl, kubectlUntil, read } from '../support/kubectl.ts';
import {
  fargateNamespace,
  inPod,
  machineOfPod,
  readyNamespace,
  readyPod,
  removeFargateNamespace,
  shellPod,
} from '../support/machines.ts';

const NS = 'vm-groups';
const GROUP = 'sg-vm-groups';
let clusterGroup = '';

beforeAll(async () => {
  const client = connect(undefined);
  clusterGroup = (await client.get(networks, { name: NETWORK })).spec.clusterSecurityGroup;
  await client.close();
  await apply(...fargateNamespace(NS), {
    apiVersion: 'vpcresources.k8s.aws/v1beta1',
    kind: 'SecurityGroupPolicy',
    metadata: { namespace: NS, name: 'web' },
    spec: { podSelector: {}, securityGroups: { groupIds: [GROUP, clusterGroup] } },
  });
  await readyNamespace(NS);
}, 120_000);

afterAll(async () => {
  await removeFargateNamespace(NS);
  await kubectl(['delete', 'securitygroup', GROUP, '--ignore-not-found']);
}, 300_000);

it('waits for its groups, runs in them, and keeps them', async () => {
  await apply(shellPod(NS, 'web', 'sleep infinity'));
  const condition = 'jsonpath={.status.conditions[?(@.type=="PodScheduled")].message}';
  await kubectlUntil(
    ['get', 'pod', 'web', '-n', NS, '-o', condition],
    (message) => message.endsWith(`The securityGroup ID '${GROUP}' does not exist`),
    'the pod to say which group it waits for',
    60_000,
  );
  await apply({
    apiVersion: 'cloister.dev/v1alpha1',
    kind: 'SecurityGroup',
    metadata: { name: GROUP },
    spec: { ingress: [{ protocol: 'tcp', ports: { from: 80, to: 80 }, peers: [{ cidr: '0.0.0.0/0' }] }] },
  });
  const pod = await readyPod(NS, 'web');
  const machine = await read<{ spec: { securityGroups: string[] } }>('microvm', machineOfPod(pod));
  expect(machine.spec.securityGroups).toEqual([GROUP, clusterGroup]);
  const gone = kubectl(['delete', 'securitygroup', GROUP]);
  await expect(gone).rejects.toThrow(`resource ${GROUP} has a dependent object: pod ${NS}/web`);
}, 360_000);

it('finds its own node by name', async () => {
  const { spec, status } = await readyPod(NS, 'web');
  expect(await inPod(NS, 'web', `nslookup ${spec?.nodeName}`)).toContain(`Address: ${status?.podIP}`);
});
