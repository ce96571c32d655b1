/** A pod with security groups on a real guest, from its policy to its names (spec/fargate.md §6, §6.1). */
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { networks } from '../../src/api/resources.ts';
import { connect } from '../../src/cli/connect.ts';
import { CONTROL_ADDRESS } from '../../src/cluster/plan.ts';
import type { ShownFlow } from '../../src/core/flows/follow.ts';
import { NETWORK } from '../../src/core/net/network.ts';
import { exec } from '../../src/host/exec.ts';
import { until } from '../../src/host/wait.ts';
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
const CLOISTER = join(import.meta.dirname, '../../cloister');
const GROUP = 'sg-vm-groups';
let clusterGroup = '';

const cloister = (...args: readonly string[]): Promise<string> => exec(CLOISTER, args);

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

it('tells which policy refused a connection, and shows those that are accepted', async () => {
  const closed = {
    metadata: { namespace: NS, name: 'closed' },
    spec: { podSelector: {}, policyTypes: ['Egress'] },
  };
  await apply({ apiVersion: 'networking.k8s.io/v1', kind: 'NetworkPolicy', ...closed });
  const reason = `policy ${NS}/closed has no egress rule for TCP 81 to ${CONTROL_ADDRESS}`;
  const flows = () => cloister('flows', 'pod/web', '-n', NS, '-o', 'json');
  // The policy comes to the filter a moment later, and each try is a connection of its own.
  const shown = await until(
    async () => {
      await inPod(NS, 'web', `nc -w 1 ${CONTROL_ADDRESS} 81 </dev/null || true`);
      const lines = (await flows()).trim().split('\n');
      return lines.some((line) => line.includes(reason)) && lines;
    },
    { limitMs: 120_000, what: 'the refused connection to be shown' },
  );
  expect(shown.map((line) => JSON.parse(line) as ShownFlow)).toContainEqual(
    expect.objectContaining({ verdict: 'refused', direction: 'egress', protocol: 'TCP', port: 81, reason }),
  );
  const messages = 'jsonpath={.items[?(@.reason=="FlowRefused")].message}';
  await kubectlUntil(
    ['get', 'events', '-n', NS, '-o', messages],
    (told) => told.includes(`Refused: ${reason}`),
    'the event on the pod',
    60_000,
  );
  expect(await cloister('why', 'pod/web', '-n', NS)).toContain(reason);
  await kubectl(['delete', 'networkpolicy', 'closed', '-n', NS]);
  const accepted = await until(
    async () => {
      await inPod(NS, 'web', `nc -w 1 ${CONTROL_ADDRESS} 82 </dev/null || true`);
      return (await flows())
        .split('\n')
        .find((line) => line.includes('"port":82') && line.includes('"accepted"'));
    },
    { limitMs: 120_000, what: 'the accepted connection to be shown' },
  );
  expect(JSON.parse(accepted)).toMatchObject({
    direction: 'egress',
    peer: CONTROL_ADDRESS,
    verdict: 'accepted',
  });
}, 360_000);

it('finds its own node by name', async () => {
  const { spec, status } = await readyPod(NS, 'web');
  expect(await inPod(NS, 'web', `nslookup ${spec?.nodeName}`)).toContain(`Address: ${status?.podIP}`);
});
