/** What becomes of a pod's log routing, decided when the pod is scheduled (spec/fargate.md §10.1, §2.3). */
import { configProblem } from './config.ts';

/** Namespace and name of the log router's configuration. */
export const LOGGING_CONFIG = { namespace: 'aws-observability', name: 'aws-logging' } as const;

/** Label without which nothing in that namespace is looked at. */
const ENABLED = { key: 'aws-observability', value: 'enabled' } as const;

/** The annotation `Logging` of the pod, and the event that goes with it. */
export interface LoggingOutcome {
  readonly annotation: string;
  readonly event: {
    readonly type: 'Normal' | 'Warning';
    readonly reason: 'LoggingDisabled';
    readonly message: string;
  };
}

/** The ConfigMap and the namespace that it is in, each if it exists. */
export interface LoggingSetup {
  readonly namespace:
    | { readonly metadata: { readonly labels?: Readonly<Record<string, string>> } }
    | undefined;
  readonly config: { readonly data?: Readonly<Record<string, string>> } | undefined;
}

const disabled = (code: string, message: string): LoggingOutcome => ({
  annotation: `LoggingDisabled: ${code}`,
  event: { type: 'Warning', reason: 'LoggingDisabled', message },
});

const NOT_FOUND = disabled(
  'LOGGING_CONFIGMAP_NOT_FOUND',
  'Disabled logging because aws-logging configmap was not found. configmap "aws-logging" not found',
);

/** The original's text around what is wrong; its code is not known, this one is ours. */
const invalid = (problem: string): LoggingOutcome =>
  disabled(
    'LOGGING_CONFIGMAP_INVALID',
    `Disabled logging for pod due to invalid configmap. ${problem}. Please fix the logging configmap`,
  );

/** Our own code: nothing here routes logs yet, and the pod must not look as if something did. */
const NOT_SUPPORTED = disabled(
  'NOT_SUPPORTED',
  'Disabled logging because this version of Cloister does not route logs. configmap "aws-logging" is valid; kubectl logs works',
);

/** Logging never holds a pod up. */
export const loggingOutcome = ({ namespace, config }: LoggingSetup): LoggingOutcome => {
  if (config === undefined || namespace?.metadata.labels?.[ENABLED.key] !== ENABLED.value) return NOT_FOUND;
  const problem = configProblem(config.data);
  return problem === undefined ? NOT_SUPPORTED : invalid(problem);
};
