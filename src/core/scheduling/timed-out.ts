/** The original's text for a node that does not join (spec/fargate.md §11.4). */

/** @param pod the pod whose node it is */
export const timedOut = ({
  namespace,
  name,
}: {
  readonly namespace: string;
  readonly name: string;
}): string => `Pod provisioning timed out (will retry) for pod: ${namespace}/${name}`;
