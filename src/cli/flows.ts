/** `cloister flows pod/NAME`: the connections of a pod, accepted and refused, once or as they come. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { FlowWatch } from '../api/flow-watch.ts';
import { flowWatches, pods } from '../api/resources.ts';
import type { ShownFlow } from '../core/flows/follow.ts';
import { API_VERSION, SCHEDULER } from '../core/names.ts';
import { type KubeClient, orNothing } from '../kube/client.ts';
import type { Key } from '../kube/object.ts';
import { connect } from './connect.ts';
import { type Format, formatOf } from './output.ts';
import { noPod, podName } from './pod-name.ts';

/** Options, as commander gives them. */
export interface FlowsFlags {
  readonly namespace: string;
  readonly follow: boolean;
  readonly output: string;
  readonly kubeconfig?: string;
}

/** How often the flows are asked for, and how often the controller is told that somebody still asks. */
const EVERY_MS = 500;
const RENEW_MS = 20_000;

/** How long the controller may take to answer first. */
const ANSWER_LIMIT_MS = 30_000;

const COLUMNS = [24, 9, 34, 10, 8] as const;

const row = (...cells: readonly string[]): string =>
  `${cells.map((cell, i) => cell.padEnd(COLUMNS[i] ?? 0)).join('  ')}`.trimEnd();

const HEADER = row('TIME', 'DIRECTION', 'PEER', 'PORT', 'VERDICT', 'REASON');

const lineOf = (flow: ShownFlow): string => {
  const { time, direction, peer, peerPod, protocol, port, verdict } = flow;
  const who = peerPod === undefined ? peer : `${peer} (${peerPod})`;
  const reason = flow.verdict === 'refused' ? flow.reason : '';
  return row(time, direction, who, [protocol, port ?? ''].join(' '), verdict, reason);
};

const print = (line: string): boolean => process.stdout.write(`${line}\n`);

/** Prints flows that were not printed before. @returns the number of the last one */
const printNew = (flows: readonly ShownFlow[], printed: number, format: Format): number => {
  const fresh = flows.filter(({ seq }) => seq > printed);
  const lost = printed > 0 && fresh[0] !== undefined ? fresh[0].seq - printed - 1 : 0;
  if (lost > 0) process.stderr.write(`cloister: ${lost} more than could be shown\n`);
  for (const flow of fresh) print(format === 'json' ? JSON.stringify(flow) : lineOf(flow));
  return fresh.at(-1)?.seq ?? printed;
};

/**
 * Judges by the pod, which is bound once its machine is there: who may read no more than a namespace cannot look at
 * machines.
 * @throws Error when there is no such pod, or it has no machine
 */
const requireMachine = async (client: KubeClient, namespace: string, name: string): Promise<void> => {
  const pod = await orNothing(client.get(pods, { namespace, name }));
  if (pod === undefined) throw new Error(noPod(namespace, name));
  if (pod.spec.schedulerName !== SCHEDULER || !pod.spec.nodeName)
    throw new Error(
      `pod ${name} has no machine of its own; \`cloister why pod/${name} -n ${namespace}\` says why`,
    );
};

/** Aborted when the user has had enough: by a signal, or by closing what reads the output. */
const enough = (): AbortSignal => {
  const ending = new AbortController();
  const end = (): void => ending.abort();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, end);
  process.stdout.once('error', end);
  return ending.signal;
};

/** Waits, and not when it has been enough. */
const pause = async (ms: number, signal: AbortSignal): Promise<void> => {
  await sleep(ms, undefined, { signal }).catch((cause) => {
    if (!signal.aborted) throw cause;
  });
};

const now = (): string => new Date().toISOString();

/**
 * Prints until it has been enough: the first answer, or all that come.
 * @throws Error when the controller does not answer
 */
const show = async (
  client: KubeClient,
  key: Key,
  { format, follow }: { readonly format: Format; readonly follow: boolean },
  signal: AbortSignal,
): Promise<void> => {
  const began = performance.now();
  let [printed, renewed] = [0, began];
  while (!signal.aborted) {
    const watch = await orNothing(client.get(flowWatches, key));
    if (watch === undefined) return void process.stderr.write("cloister: the pod's machine is gone\n");
    const flows = watch.status?.flows;
    printed = printNew(flows ?? [], printed, format);
    if (flows !== undefined && !follow) {
      if (flows.length === 0) process.stderr.write('cloister: no connections in the last minutes\n');
      return;
    }
    const time = performance.now();
    if (flows === undefined && time - began > ANSWER_LIMIT_MS)
      throw new Error(`the controller shows no flows within ${ANSWER_LIMIT_MS / 1000} s; does it run?`);
    if (time - renewed > RENEW_MS) {
      await orNothing(client.patch(flowWatches, key, { spec: { renewTime: now() } }, { type: 'merge' }));
      renewed = time;
    }
    await pause(EVERY_MS, signal);
  }
};

/** The command. @throws Error when there is no such pod, or it has no machine */
export const flows = async (target: string, flags: FlowsFlags): Promise<void> => {
  const format = formatOf(flags.output);
  const { namespace, follow } = flags;
  const name = podName(target);
  const client = connect(flags.kubeconfig);
  try {
    await requireMachine(client, namespace, name);
    const signal = enough();
    const asked: FlowWatch = {
      apiVersion: API_VERSION,
      kind: 'FlowWatch',
      metadata: { namespace, generateName: 'flows-' },
      spec: { pod: name, renewTime: now() },
    };
    const watch = await client.create(flowWatches, asked);
    const key = { namespace, name: watch.metadata.name ?? '' };
    try {
      if (format === 'text') print(HEADER);
      await show(client, key, { format, follow }, signal);
    } finally {
      await orNothing(client.delete(flowWatches, key));
    }
  } finally {
    await client.close();
  }
};
