/** Network: the virtual private cloud around the machines, one object (spec/fargate.md §6). */
import { type Static, Type } from 'typebox';
import { API_VERSION } from '../core/names.ts';
import { NETWORK } from '../core/net/network.ts';
import { Cidr, Name } from './cidr.ts';
import { Condition, type Frozen, type Kind, type NamedMeta, rules } from './kind.ts';
import { LabelSelector } from './selector.ts';
import { PORTS_OF_PROTOCOL, Ports, Protocol } from './traffic.ts';

/** Primary and secondary networks of a VPC (AWS "VPC CIDR blocks", default quota). */
const MOST_CIDRS = 5;

const Attribute = (description: string) => Type.Optional(Type.Boolean({ default: true, description }));

const NodeEgress = Type.Object(
  {
    cidr: Cidr('Destination.'),
    except: Type.Optional(
      Type.Array(Cidr('Networks within.'), {
        maxItems: 10,
        description: 'What of the destination is not meant.',
      }),
    ),
    protocol: Protocol,
    ports: Ports,
    description: Type.Optional(Type.String({ maxLength: 255, description: 'What is there, for people.' })),
  },
  rules(PORTS_OF_PROTOCOL),
);

const KubeletClient = Type.Object(
  {
    cidr: Type.Optional(Cidr('Addresses, such as those of API servers.')),
    namespaceSelector: Type.Optional(LabelSelector('Namespaces of the pods.')),
    podSelector: Type.Optional(LabelSelector('Pods, such as those of a metrics collector.')),
  },
  rules({
    rule: 'has(self.cidr) != (has(self.namespaceSelector) && has(self.podSelector)) && has(self.namespaceSelector) == has(self.podSelector)',
    message: 'a client is either a cidr, or a namespaceSelector with a podSelector',
  }),
);

const Spec = Type.Object({
  cidrs: Type.Array(Cidr('A network that subnets lie in.'), {
    minItems: 1,
    maxItems: MOST_CIDRS,
    description: 'Networks of the VPC, the primary one first. Subnets lie within one of them.',
    ...rules({ rule: 'self[0] == oldSelf[0]', message: 'the primary network cannot be changed' }),
  }),
  dnsSupport: Attribute("Whether the network's resolver answers. Machines cannot join without."),
  dnsHostnames: Attribute('Whether machines have private DNS names. They cannot join without.'),
  resolvers: Type.Array(Type.String({ format: 'ipv4' }), {
    minItems: 1,
    maxItems: 4,
    description: 'Addresses of the resolvers that nodes ask.',
  }),
  clusterSecurityGroup: Name('SecurityGroup of machines that no SecurityGroupPolicy gives any.'),
  node: Type.Object(
    {
      egress: Type.Array(NodeEgress, {
        maxItems: 50,
        description: 'What the processes of nodes may reach: API server, DNS, registries, log sinks.',
      }),
      kubeletClients: Type.Array(KubeletClient, {
        maxItems: 20,
        description: 'Who may reach kubelets: API servers and metrics collectors.',
      }),
    },
    { description: "Traffic of the nodes' own processes, besides what security groups allow." },
  ),
});

const Status = Type.Object({ conditions: Type.Optional(Type.Array(Condition)) });

/** The network as stored by the API server. */
export interface Network {
  readonly apiVersion?: typeof API_VERSION;
  readonly kind?: 'Network';
  readonly metadata: NamedMeta;
  readonly spec: Frozen<Static<typeof Spec>>;
  readonly status?: Frozen<Static<typeof Status>>;
}

/** The kind, for the CRD. */
export const networkKind: Kind = {
  kind: 'Network',
  plural: 'networks',
  shortNames: [],
  description: 'The virtual private cloud around the machines.',
  spec: Spec,
  status: Status,
  columns: [
    { name: 'CIDRs', type: 'string', jsonPath: '.spec.cidrs[*]' },
    { name: 'DNS', type: 'string', jsonPath: '.status.conditions[?(@.type=="DNSReady")].status' },
    { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp' },
  ],
  rules: [
    {
      rule: `self.metadata.name == '${NETWORK}'`,
      message: `a cluster has one Network, and its name is ${NETWORK}`,
    },
  ],
};
