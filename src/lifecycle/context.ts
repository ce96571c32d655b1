/** What every stage works with, and what it sees of one machine. */
import type { Logger } from 'pino';
import type { FargateProfile } from '../api/fargate-profile.ts';
import type { MicroVM } from '../api/micro-vm.ts';
import type { Node } from '../api/resources.ts';
import type { Observation, Provider } from '../compute/provider.ts';
import type { ClusterFacts } from '../compute/render/seed.ts';
import type { Stage } from '../core/machine/life.ts';
import type { Machine } from '../core/machine/machine.ts';
import type { Pod } from '../core/pod.ts';
import type { KubeClient } from '../kube/client.ts';
import type { EventRecorder } from '../kube/events.ts';
import type { Store } from '../kube/store.ts';

/** The ports of the lifecycle: what it reads, and where it writes. */
export interface Context {
  readonly client: KubeClient;
  readonly provider: Provider;
  readonly microVMs: Store<MicroVM>;
  readonly pods: Store<Pod>;
  readonly nodes: Store<Node>;
  readonly profiles: Pick<Store<FargateProfile>, 'get'>;
  readonly events: EventRecorder;
  readonly cluster: ClusterFacts;
  /** Names the cluster in provider ids. */
  readonly clusterName: string;
  readonly log: Logger;
  readonly now: () => Date;
  /** How long a virtual machine may take until its kubelet reports, in milliseconds. */
  readonly joinLimitMs: number;
}

/** One machine as it was seen at the start of a pass. */
export interface View {
  readonly vm: MicroVM;
  readonly machine: Machine;
  /** The very pod that the machine was made for, by UID; undefined when its object is gone. */
  readonly pod: Pod | undefined;
  readonly node: Node | undefined;
  /** The Node of that name belongs to another machine that exists. */
  readonly taken: boolean;
  readonly seen: Observation;
}

/** What a stage says when it has done what it can. */
export type Step =
  | { readonly settled: true }
  /** Not yet: why, in a condition's words, and when to look again at the latest. */
  | { readonly settled: false; readonly reason: string; readonly message: string; readonly againMs: number };

/** One stage of a machine's life: inspects, does what is missing, and may be repeated at any time. */
export interface StageOfLife {
  readonly stage: Stage;
  readonly advance: (view: View, context: Context) => Promise<Step>;
}

/** The stage has what it wants. */
export const settled: Step = { settled: true };

/** The stage waits; watches wake it earlier than `againMs`. */
export const waiting = (reason: string, message: string, againMs: number): Step => ({
  settled: false,
  reason,
  message,
  againMs,
});
