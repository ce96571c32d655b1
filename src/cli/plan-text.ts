/** A plan for people. */
import { dump } from 'js-yaml';
import type { PatchOperation } from '../core/json-patch.ts';
import type { StartTimes } from '../core/plan/history.ts';
import type { Plan } from '../core/plan/plan.ts';
import { amount, field } from './output.ts';

/** One plan with what files and history add to it. */
export interface PlanLine extends Plan {
  readonly price: { readonly currency: string; readonly perHour: number } | null;
  readonly start: StartTimes | null;
}

const price = ({ price: cost, replicas }: PlanLine): string => {
  if (cost === null) return '';
  const each = `${cost.perHour.toFixed(5)} ${cost.currency} an hour`;
  const all = `, ${(cost.perHour * replicas).toFixed(5)} for ${replicas} pods`;
  return field('price', replicas > 1 ? each + all : each);
};

const size = ({ size: text, requests, waste, provisioned }: Plan): string => {
  if (text === null || requests === null || waste === null || provisioned === null) return '';
  const asked = `asked for: ${amount(requests)}, and 256 MiB for the node`;
  return field(
    'size',
    `${text}, ${provisioned.storageGiB} GiB of scratch disk`,
    asked,
    `not asked for: ${amount(waste)}`,
  );
};

const profiles = ({ profile, matching, profiles: all }: Plan): string =>
  field(
    'profile',
    profile === null ? `none: ${matching}` : profile,
    ...all
      .filter(({ chosen }) => !chosen)
      .map(({ profile: name, reasons }) => `not ${name}: ${reasons.join('; or ')}`),
  );

const subnets = ({ subnets: list }: Plan): string =>
  list.length === 0
    ? ''
    : field(
        'subnets',
        ...list.map(({ name, zone, free, usable }) => `${name} (${zone}): ${free} of ${usable} free`),
      );

const groups = ({ groupPolicies, securityGroups, groupLacks }: Plan): string => {
  const by = groupPolicies.length > 0 ? ` by SecurityGroupPolicy ${groupPolicies.join(', ')}` : '';
  const names = securityGroups.length > 0 ? [`${securityGroups.join(', ')}${by}`] : [];
  const lines = [...names, ...groupLacks.map((lack) => `lacks ${lack}`)];
  return lines.length > 0 ? field('groups', ...lines) : '';
};

const start = ({ start: times, runs }: PlanLine): string => {
  if (times === null || !runs) return '';
  const { medianSeconds, p90Seconds, samples } = times;
  return field(
    'start',
    samples === 1
      ? `${medianSeconds} s took the only start that is known`
      : `${medianSeconds} s as a rule, ${p90Seconds} s for the slowest tenth (of ${samples} starts)`,
  );
};

/** An operation as it is written in a patch, without the quotes that only programs need. */
const operation = (one: PatchOperation): string =>
  'value' in one ? `${one.op} ${one.path} ${JSON.stringify(one.value)}` : `${one.op} ${one.path}`;

const edits = ({ edits: list, fix, kind, namespace, name }: Plan): string => {
  const lines = list.map(({ clause, patch, caution, transient }) => {
    const how = patch.map(operation).join(', ');
    if (transient) return `${clause}: it starts when that is there`;
    return `${clause}: ${how || 'no edit helps'}${caution === undefined ? '' : ` (${caution})`}`;
  });
  if (lines.length === 0) return '';
  const target = `${kind.toLowerCase()} ${name} -n ${namespace}`;
  const command =
    fix === null || kind === 'Pod' ? [] : [`kubectl patch ${target} --type json -p '${JSON.stringify(fix)}'`];
  return field('edits', ...lines, ...command);
};

const sidecars = ({ sidecars: list }: Plan): string => {
  if (list === null) return '';
  const volumes = list.volumes.length > 0 ? { volumes: list.volumes } : {};
  const yaml = dump({ initContainers: list.initContainers, ...volumes }, { noRefs: true, lineWidth: 110 });
  return `  as sidecars, to paste into the pods that need them:\n${yaml.replace(/^(?=.)/gm, '    ')}`;
};

/** All that is known about one pod template. */
export const planText = (line: PlanLine): string => {
  const { kind, namespace, name, replicas, runs, message, matching, notes } = line;
  const pods = replicas === 1 ? '' : ` × ${replicas}`;
  const verdict = runs ? 'runs on Fargate' : `does not run on Fargate: ${message ?? matching}`;
  return [
    `${kind} ${namespace}/${name}${pods}: ${verdict}\n`,
    profiles(line),
    size(line),
    price(line),
    subnets(line),
    groups(line),
    start(line),
    edits(line),
    notes.length > 0 ? field('note', ...notes) : '',
    sidecars(line),
  ].join('');
};
