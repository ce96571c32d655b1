/** SecurityGroup: what may pass to and from the machines in it (spec/fargate.md §6, §6.1). */
import { type Static, Type } from 'typebox';
import { API_VERSION } from '../core/names.ts';
import { Cidr, Name } from './cidr.ts';
import { type Frozen, type Kind, type NamedMeta, rules } from './kind.ts';
import { PORTS_OF_PROTOCOL, Ports, Protocol } from './traffic.ts';

/** Rules per direction, counted as the original counts them: one for each peer (AWS "Amazon VPC quotas"). */
const MOST_RULES = 60;

const Peer = Type.Object(
  {
    cidr: Type.Optional(Cidr('Addresses.')),
    group: Type.Optional(Name('All members of another SecurityGroup.')),
    prefixList: Type.Optional(Name('All entries of a PrefixList.')),
    self: Type.Optional(Type.Boolean({ description: 'true: all members of this group itself.' })),
  },
  rules(
    {
      rule: '[has(self.cidr), has(self.group), has(self.prefixList), has(self.self)].filter(x, x).size() == 1',
      message: 'a peer is exactly one of cidr, group, prefixList and self',
    },
    { rule: '!has(self.self) || self.self', message: 'self can only be true' },
  ),
);

const GroupRule = Type.Object(
  {
    protocol: Protocol,
    ports: Ports,
    peers: Type.Array(Peer, {
      minItems: 1,
      maxItems: MOST_RULES,
      description: 'Sources of an ingress rule, destinations of an egress rule.',
    }),
    description: Type.Optional(Type.String({ maxLength: 255 })),
  },
  rules(PORTS_OF_PROTOCOL),
);

const Rules = (direction: 'ingress' | 'egress', description: string) =>
  Type.Optional(
    Type.Array(GroupRule, {
      maxItems: MOST_RULES,
      description,
      ...rules({
        rule: `self.map(r, r.peers.size()).sum() <= ${MOST_RULES}`,
        message: `a group has at most ${MOST_RULES} ${direction} rules, one for each peer`,
      }),
    }),
  );

const Spec = Type.Object({
  description: Type.Optional(Type.String({ maxLength: 255 })),
  addresses: Type.Optional(
    Type.Array(Cidr('Addresses of members.'), {
      maxItems: 100,
      description: 'Members besides machines: the control plane, ordinary nodes and their pods.',
    }),
  ),
  ingress: Rules('ingress', 'What may begin connections to members. Default: nothing.'),
  egress: Rules('egress', 'What members may begin connections to. Default: nothing.'),
});

const Status = Type.Object({});

/** A security group as stored by the API server. */
export interface SecurityGroup {
  readonly apiVersion?: typeof API_VERSION;
  readonly kind?: 'SecurityGroup';
  readonly metadata: NamedMeta;
  readonly spec: Frozen<Static<typeof Spec>>;
}

/** The kind, for the CRD. */
export const securityGroupKind: Kind = {
  kind: 'SecurityGroup',
  plural: 'securitygroups',
  shortNames: ['sg'],
  description: 'A stateful packet filter around the machines in it.',
  spec: Spec,
  status: Status,
  columns: [
    { name: 'Description', type: 'string', jsonPath: '.spec.description' },
    { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp' },
  ],
  rules: [],
};
