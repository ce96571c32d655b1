/** What becomes of a pod's log routing, decided when the pod is scheduled (spec/fargate.md §10.1, §2.3). */

/** Namespace and name of the log router's configuration. */
export const LOGGING_CONFIG = { namespace: 'aws-observability', name: 'aws-logging' } as const;

/** The annotation `Logging` of the pod, and the event that goes with it. */
export interface LoggingOutcome {
  readonly annotation: string;
  readonly event: {
    readonly type: 'Normal' | 'Warning';
    readonly reason: 'LoggingDisabled';
    readonly message: string;
  };
}

const disabled = (code: string, message: string): LoggingOutcome => ({
  annotation: `LoggingDisabled: ${code}`,
  event: { type: 'Warning', reason: 'LoggingDisabled', message },
});

const NOT_FOUND = disabled(
  'LOGGING_CONFIGMAP_NOT_FOUND',
  'Disabled logging because aws-logging configmap was not found. configmap "aws-logging" not found',
);

/** Our own code: nothing here reads the configuration yet, and the pod must not look as if something did. */
const NOT_SUPPORTED = disabled(
  'NOT_SUPPORTED',
  'Disabled logging because this version of Cloister does not route logs. configmap "aws-logging" is not read; kubectl logs works',
);

/** @param configured whether the ConfigMap exists. Logging never holds a pod up. */
export const loggingOutcome = (configured: boolean): LoggingOutcome =>
  configured ? NOT_SUPPORTED : NOT_FOUND;
