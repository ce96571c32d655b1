/** How long pods took to start, from the stages that MicroVMs record. */
import { type LifeStatus, STAGES, type Stage } from '../machine/life.ts';
import { median, quantile } from '../statistics.ts';

/** Seconds from the decision about a pod until its containers ran. */
export interface StartTimes {
  readonly samples: number;
  readonly medianSeconds: number;
  readonly p90Seconds: number;
}

const time = (text: string | undefined): number => (text === undefined ? Number.NaN : Date.parse(text));

const tenths = (ms: number): number => Math.round(ms / 100) / 10;

/** @returns undefined when no recorded start is complete */
export const startTimes = (statuses: Iterable<LifeStatus | undefined>): StartTimes | undefined => {
  const all: number[] = [];
  for (const status of statuses) {
    const took = time(status?.stages?.Running) - time(status?.stages?.Placed);
    if (took >= 0) all.push(took);
  }
  if (all.length === 0) return undefined;
  return {
    samples: all.length,
    medianSeconds: tenths(median(all)),
    p90Seconds: tenths(quantile(all, 0.9)),
  };
};

/** One stage of a machine: when it was reached, and how long after the one before. */
export interface Step {
  readonly stage: Stage;
  /** RFC 3339, undefined for a stage that is waited for. */
  readonly at?: string;
  readonly seconds?: number;
  /** What it waits for. */
  readonly waits?: string;
}

/** The stages that a machine has passed, in order, and the one it is in. */
export const timeline = (status: LifeStatus | undefined): readonly Step[] => {
  const steps: Step[] = [];
  let before = Number.NaN;
  for (const stage of STAGES) {
    const at = status?.stages?.[stage];
    const condition = status?.conditions?.find(({ type }) => type === stage);
    if (condition?.status === 'False')
      steps.push({ stage, waits: `${condition.reason}: ${condition.message}` });
    else if (at !== undefined) {
      const took = time(at) - before;
      steps.push({ stage, at, ...(took >= 0 ? { seconds: tenths(took) } : {}) });
      before = time(at);
    }
  }
  return steps;
};
