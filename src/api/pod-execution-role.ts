/** PodExecutionRole: a role of IAM, as far as Fargate profiles depend on it (spec/fargate.md §1.8). */
import { type Static, Type } from 'typebox';
import { ROLE_ARN } from '../core/eks/arn.ts';
import { API_VERSION } from '../core/names.ts';
import { type Frozen, type Kind, type NamedMeta, rules } from './kind.ts';

const Spec = Type.Object({
  arn: Type.String({
    maxLength: 2048,
    description: 'The role as profiles name it. Cannot be changed.',
    ...rules(
      {
        rule: `self.matches('${ROLE_ARN}')`,
        message: 'arn must have the form arn:aws:iam::<account>:role/<name>, with no path',
      },
      { rule: 'self == oldSelf', message: 'the arn of a PodExecutionRole cannot be changed' },
    ),
  }),
  assumeRolePolicyDocument: Type.Object(
    {},
    {
      'x-kubernetes-preserve-unknown-fields': true,
      description: 'The trust policy, as IAM has it. What is not understood of it lets nobody in.',
    },
  ),
});

/** A role as stored by the API server. */
export interface PodExecutionRole {
  readonly apiVersion?: typeof API_VERSION;
  readonly kind?: 'PodExecutionRole';
  readonly metadata: NamedMeta;
  readonly spec: Frozen<Static<typeof Spec>>;
}

/** The kind, for the CRD. */
export const podExecutionRoleKind: Kind = {
  kind: 'PodExecutionRole',
  plural: 'podexecutionroles',
  shortNames: [],
  description:
    'A pod execution role and whom it trusts. Where there is none, profiles may name any role; where there is one, they may name only roles that are there and trust the service.',
  spec: Spec,
  columns: [
    { name: 'ARN', type: 'string', jsonPath: '.spec.arn' },
    { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp' },
  ],
  rules: [],
};
