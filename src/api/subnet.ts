/** Subnet: where machines get their addresses (spec/fargate.md §1.7, §6). */
import { type Static, Type } from 'typebox';
import { API_VERSION } from '../core/names.ts';
import { Condition, type Frozen, type Kind, type NamedMeta, rules } from './kind.ts';

const Spec = Type.Object({
  cidr: Type.String({
    maxLength: 18,
    description: 'IPv4 range, /16 to /28 as in a VPC. Cannot be changed.',
    ...rules(
      {
        rule: 'isCIDR(self) && cidr(self).ip().family() == 4 && cidr(self).masked() == cidr(self)',
        message: 'cidr must be an IPv4 network such as 10.42.64.0/20, with no bits set after the prefix',
      },
      {
        rule: '!isCIDR(self) || (cidr(self).prefixLength() >= 16 && cidr(self).prefixLength() <= 28)',
        message: 'the prefix of a subnet must be between /16 and /28',
      },
      { rule: 'self == oldSelf', message: 'the cidr of a Subnet cannot be changed' },
    ),
  }),
  zone: Type.String({ minLength: 1, maxLength: 63, description: 'Availability zone, e.g. local-1a.' }),
  type: Type.Enum(['private', 'public'], {
    description:
      'public: its route table has a direct route to an internet gateway. Pods run in private ones.',
  }),
  zoneType: Type.Optional(
    Type.Enum(['availability-zone', 'local-zone', 'wavelength-zone', 'outpost'], {
      default: 'availability-zone',
      description: 'Pods run in availability zones only.',
    }),
  ),
});

const Status = Type.Object({
  available: Type.Optional(Type.Integer({ description: 'Addresses that are free.' })),
  conditions: Type.Optional(Type.Array(Condition)),
});

/** A subnet as stored by the API server. */
export interface Subnet {
  readonly apiVersion?: typeof API_VERSION;
  readonly kind?: 'Subnet';
  readonly metadata: NamedMeta;
  readonly spec: Frozen<Static<typeof Spec>>;
  readonly status?: Frozen<Static<typeof Status>>;
}

/** The kind, for the CRD. */
export const subnetKind: Kind = {
  kind: 'Subnet',
  plural: 'subnets',
  shortNames: [],
  description: 'A range of addresses in one zone.',
  spec: Spec,
  status: Status,
  columns: [
    { name: 'CIDR', type: 'string', jsonPath: '.spec.cidr' },
    { name: 'Zone', type: 'string', jsonPath: '.spec.zone' },
    { name: 'Type', type: 'string', jsonPath: '.spec.type' },
    { name: 'Available', type: 'integer', jsonPath: '.status.available' },
    { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp' },
  ],
  rules: [],
};
