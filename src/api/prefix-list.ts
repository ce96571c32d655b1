/** PrefixList: networks under one name, for rules of security groups (AWS "Managed prefix lists"). */
import { type Static, Type } from 'typebox';
import { API_VERSION } from '../core/names.ts';
import { Cidr } from './cidr.ts';
import type { Frozen, Kind, NamedMeta } from './kind.ts';

const Spec = Type.Object({
  entries: Type.Array(
    Type.Object({
      cidr: Cidr('Addresses.'),
      description: Type.Optional(Type.String({ maxLength: 255 })),
    }),
    { maxItems: 1000, description: 'What a rule that names the list means.' },
  ),
});

const Status = Type.Object({});

/** A prefix list as stored by the API server. */
export interface PrefixList {
  readonly apiVersion?: typeof API_VERSION;
  readonly kind?: 'PrefixList';
  readonly metadata: NamedMeta;
  readonly spec: Frozen<Static<typeof Spec>>;
}

/** The kind, for the CRD. */
export const prefixListKind: Kind = {
  kind: 'PrefixList',
  plural: 'prefixlists',
  shortNames: [],
  description: 'Networks under one name, for rules of security groups.',
  spec: Spec,
  status: Status,
  columns: [
    { name: 'CIDRs', type: 'string', jsonPath: '.spec.entries[*].cidr' },
    { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp' },
  ],
  rules: [],
};
