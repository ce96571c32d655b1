/** What a profile allows beyond the original (issue "The Fargate contract"); everything is off by default. */

/** A soft and a hard limit (getrlimit(2)). */
export interface Rlimit {
  readonly soft: number;
  readonly hard: number;
}

/** Limits of every container; what is left out stays as in the original (spec/fargate.md §8). */
export interface Rlimits {
  readonly nofile?: Rlimit | undefined;
  readonly nproc?: Rlimit | undefined;
}

/** `spec.policy` of a FargateProfile. */
export interface Policy {
  /** Refuse unsupported pods at creation, instead of warning and leaving them Pending. */
  readonly reject?: boolean;
  readonly privileged?: boolean;
  readonly capabilities?: boolean;
  readonly hostNamespaces?: boolean;
  readonly hostPorts?: boolean;
  readonly volumes?: boolean;
  readonly sysctls?: boolean;
  readonly topology?: boolean;
  readonly rlimits?: Rlimits;
  readonly nodeLabels?: Readonly<Record<string, string>>;
}

/** Whether the profile allows anything at all that the original refuses. */
export const isOpen = (policy: Policy): boolean =>
  Boolean(
    policy.privileged ||
      policy.capabilities ||
      policy.hostNamespaces ||
      policy.hostPorts ||
      policy.volumes ||
      policy.sysctls ||
      policy.topology ||
      policy.rlimits ||
      policy.nodeLabels,
  );
