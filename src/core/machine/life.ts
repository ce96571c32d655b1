/**
 * The stages of a machine as they are reported: one condition each, written together in few patches.
 * Conditions report; they are not the memory of the program (design: three ideas, 1).
 */

/** The stages in the order in which a machine passes them. */
export const STAGES = [
  'Placed',
  'Registered',
  'Launched',
  'Bound',
  'Booted',
  'Joined',
  'Running',
  'Reclaimed',
] as const;

/** One stage of a machine's life; also the type of its condition. */
export type Stage = (typeof STAGES)[number];

/** One condition of a MicroVM's status (Kubernetes API conventions, "Typical status properties"). */
export interface Condition {
  readonly type: Stage;
  readonly status: 'True' | 'False' | 'Unknown';
  readonly reason: string;
  readonly message: string;
  /** RFC 3339, in seconds. */
  readonly lastTransitionTime: string;
}

/** The status of a MicroVM. */
export interface LifeStatus {
  /** The last stage reached, or `Failed`. */
  readonly phase?: Stage | 'Failed';
  readonly conditions?: readonly Condition[];
  /** When each stage was reached: RFC 3339 with milliseconds. */
  readonly stages?: Readonly<Partial<Record<Stage, string>>>;
}

/** What a pass over a machine has found. */
export interface Progress {
  /** When each stage that is settled was reached. */
  readonly reached: Readonly<Partial<Record<Stage, Date>>>;
  /** The stage that is not, and what it waits for. */
  readonly waiting?: { readonly stage: Stage; readonly reason: string; readonly message: string };
  /** The machine's end, when it died under its pod. */
  readonly failure?: string;
}

const seconds = (time: Date): string => `${time.toISOString().slice(0, 19)}Z`;

/**
 * The status that tells this progress. A condition keeps its transition time while its status stays.
 * @param now when a condition that changes is said to have changed, if its stage has no time of its own
 */
export const statusOf = (before: LifeStatus | undefined, progress: Progress, now: Date): LifeStatus => {
  const conditions: Condition[] = [];
  for (const stage of STAGES) {
    const known = before?.conditions?.find((condition) => condition.type === stage);
    const told = tell(stage, progress);
    if (told === undefined) continue;
    const changed = (told.status === 'True' ? progress.reached[stage] : undefined) ?? now;
    const since = known?.status === told.status ? known.lastTransitionTime : seconds(changed);
    conditions.push({ type: stage, ...told, lastTransitionTime: since });
  }
  const stages: Partial<Record<Stage, string>> = { ...before?.stages };
  for (const stage of STAGES) {
    const time = progress.reached[stage];
    if (time !== undefined) stages[stage] ??= time.toISOString();
  }
  const last = STAGES.findLast((stage) => progress.reached[stage] !== undefined);
  const phase = progress.failure === undefined ? last : 'Failed';
  return { ...(phase === undefined ? {} : { phase }), conditions, stages };
};

const tell = (
  stage: Stage,
  progress: Progress,
): Omit<Condition, 'type' | 'lastTransitionTime'> | undefined => {
  if (stage === 'Running' && progress.failure !== undefined) {
    return { status: 'False', reason: 'MachineFailed', message: progress.failure };
  }
  if (progress.reached[stage] !== undefined) return { status: 'True', reason: stage, message: '' };
  const { waiting } = progress;
  return waiting?.stage === stage
    ? { status: 'False', reason: waiting.reason, message: waiting.message }
    : undefined;
};

/** How long a machine may wait in a stage before its status says so, in milliseconds. */
const QUIET_MS = 30_000;

/**
 * Whether a new status is worth an API write. A start that goes well costs one: when the pod runs, with all
 * that led to it. A stage that takes long, or a failure, is told too (docs/adr/0003).
 * @param sinceMs milliseconds since the last write of this machine's status, or since its creation
 */
export const worthWriting = (before: LifeStatus | undefined, after: LifeStatus, sinceMs: number): boolean => {
  const news = (stage: Stage): boolean =>
    after.stages?.[stage] !== undefined && before?.stages?.[stage] === undefined;
  if (news('Running') || after.phase === 'Failed') return !same(before, after);
  return sinceMs >= QUIET_MS && !same(before, after);
};

const same = (one: LifeStatus | undefined, other: LifeStatus): boolean =>
  JSON.stringify([one?.phase, one?.conditions, one?.stages]) ===
  JSON.stringify([other.phase, other.conditions, other.stages]);
