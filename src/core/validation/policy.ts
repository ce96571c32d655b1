/** What a profile allows beyond the original (issue "The Fargate contract"); everything is off by default. */

/** The switches of `spec.policy` of a FargateProfile. */
export interface Policy {
  /** Refuse unsupported pods at creation, instead of warning and leaving them Pending. */
  readonly reject?: boolean;
  readonly privileged?: boolean;
  readonly capabilities?: boolean;
  readonly hostNamespaces?: boolean;
  readonly hostPorts?: boolean;
  readonly volumes?: boolean;
  readonly sysctls?: boolean;
}

/** Whether the profile allows anything at all that the original refuses. */
export const isOpen = (policy: Policy): boolean =>
  Boolean(
    policy.privileged ||
      policy.capabilities ||
      policy.hostNamespaces ||
      policy.hostPorts ||
      policy.volumes ||
      policy.sysctls,
  );
