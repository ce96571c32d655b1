/** `cloister why pod/NAME`: why a pod is where it is, and what it waits for. */
import { microVMs, pods } from '../api/resources.ts';
import { type RefusedFlow, reasonInFull } from '../core/flows/refused.ts';
import { machineName } from '../core/machine/microvm.ts';
import type { Step } from '../core/plan/history.ts';
import { why as explainPod, type Why } from '../core/plan/why.ts';
import { type KubeClient, orNothing } from '../kube/client.ts';
import { connect } from './connect.ts';
import { field, formatOf } from './output.ts';
import { noPod, podName } from './pod-name.ts';
import { liveSurroundings } from './surroundings.ts';

/** Options, as commander gives them. */
export interface WhyFlags {
  readonly namespace: string;
  readonly output: string;
  readonly kubeconfig?: string;
}

const ask = async (client: KubeClient, namespace: string, name: string): Promise<Why> => {
  const pod = await orNothing(client.get(pods, { namespace, name }));
  if (pod === undefined) throw new Error(noPod(namespace, name));
  const [near, vm] = await Promise.all([
    liveSurroundings(client),
    orNothing(client.get(microVMs, { name: machineName(pod.metadata.uid ?? '') })),
  ]);
  const machine = vm && {
    name: vm.metadata.name,
    profile: vm.spec.profile,
    ...(vm.status && { status: vm.status }),
  };
  return explainPod(pod, machine, near);
};

const stepText = ({ stage, at, seconds, waits }: Step): string =>
  waits === undefined
    ? `${stage.padEnd(10)} ${at}${seconds === undefined ? '' : `  +${seconds} s`}`
    : `${stage.padEnd(10)} waits: ${waits}`;

const groupsText = ({ securityGroups, groupLacks }: Why): string => {
  const lines = [
    ...(securityGroups.length > 0 ? [securityGroups.join(', ')] : []),
    ...groupLacks.map((lack) => `lacks ${lack}`),
  ];
  return lines.length === 0 ? '' : field('groups', ...lines);
};

const refusedText = (flow: RefusedFlow): string =>
  `${flow.packets} packet${flow.packets === 1 ? '' : 's'} until ${flow.last}: ${reasonInFull(flow)}`;

const whyText = (answer: Why): string => {
  const { namespace, name, phase, profile, node, size, because, timeline, refused, profiles } = answer;
  return [
    `pod ${namespace}/${name} (${phase}): ${because}\n`,
    profile === null ? '' : field('profile', profile),
    size === null ? '' : field('size', size),
    node === null ? '' : field('node', node),
    groupsText(answer),
    timeline.length === 0 ? '' : field('stages', ...timeline.map(stepText)),
    refused.length === 0 ? '' : field('refused', ...refused.map(refusedText)),
    ...profiles
      .filter(({ chosen, reasons }) => !chosen && reasons.length > 0)
      .map((one) => field('', `profile ${one.profile}: ${one.reasons.join('; or ')}`)),
  ].join('');
};

/** The command. @throws Error when there is no such pod */
export const why = async (target: string, flags: WhyFlags): Promise<void> => {
  const format = formatOf(flags.output);
  const name = podName(target);
  const client = connect(flags.kubeconfig);
  try {
    const answer = await ask(client, flags.namespace, name);
    process.stdout.write(format === 'json' ? `${JSON.stringify(answer, null, 2)}\n` : whyText(answer));
  } finally {
    await client.close();
  }
};
