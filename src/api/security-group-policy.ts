/**
 * SecurityGroupPolicy: which pods get which security groups (spec/fargate.md §6.1). The shape is that of the
 * upstream kind, so that manifests written for the original apply unchanged.
 */
import { type Static, Type } from 'typebox';
import type { ObjectMeta } from '../core/pod.ts';
import type { Frozen, Kind } from './kind.ts';
import { LabelSelector } from './selector.ts';

/** The kind's own home, which is not ours. */
export const SECURITY_GROUP_POLICIES = { group: 'vpcresources.k8s.aws', version: 'v1beta1' } as const;

const Selector = (of: string) =>
  Type.Optional(LabelSelector(`Labels of ${of}. Empty: all of the namespace. Left out: not looked at.`));

const Spec = Type.Object(
  {
    podSelector: Selector('pods'),
    serviceAccountSelector: Selector("the pods' service accounts"),
    securityGroups: Type.Optional(
      Type.Object({
        groupIds: Type.Optional(
          Type.Array(Type.String(), {
            minItems: 1,
            maxItems: 16,
            description: 'Names of SecurityGroup objects. A pod on Fargate can have at most 5 in all.',
          }),
        ),
      }),
    ),
  },
  { description: 'Pods that all given selectors match get these groups instead of the cluster group.' },
);

/** A policy as stored by the API server. */
export interface SecurityGroupPolicy {
  readonly apiVersion?: string;
  readonly kind?: 'SecurityGroupPolicy';
  readonly metadata: ObjectMeta;
  readonly spec?: Frozen<Static<typeof Spec>>;
}

/** The kind, for the CRD. */
export const securityGroupPolicyKind: Kind = {
  ...SECURITY_GROUP_POLICIES,
  scope: 'Namespaced',
  kind: 'SecurityGroupPolicy',
  plural: 'securitygrouppolicies',
  shortNames: ['sgp'],
  description: 'Gives security groups to the pods that it selects.',
  spec: Spec,
  specOptional: true,
  columns: [
    {
      name: 'Security-Group-Ids',
      type: 'string',
      jsonPath: '.spec.securityGroups.groupIds',
      description: 'The security groups of pods that match this policy',
    },
  ],
  rules: [],
};
