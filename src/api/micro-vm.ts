/** MicroVM: one pod's machine, between Pod and Node (design: one condition per stage). */
import { type Static, Type } from 'typebox';
import type { RefusedFlow } from '../core/flows/refused.ts';
import type { LifeStatus } from '../core/machine/life.ts';
import type { Machine } from '../core/machine/machine.ts';
import { API_VERSION } from '../core/names.ts';
import { Condition, type Frozen, type Kind, type NamedMeta, rules } from './kind.ts';

const Rlimit = Type.Object({ soft: Type.Integer(), hard: Type.Integer() });

const Opened = Type.Object(
  {
    nodeLabels: Type.Optional(Type.Record(Type.String(), Type.String())),
    rlimits: Type.Optional(Type.Object({ nofile: Type.Optional(Rlimit), nproc: Type.Optional(Rlimit) })),
    sysctls: Type.Optional(Type.Boolean()),
    hostNetwork: Type.Optional(Type.Boolean()),
    hostPorts: Type.Optional(
      Type.Array(
        Type.Object({
          protocol: Type.Enum(['tcp', 'udp']),
          hostPort: Type.Integer(),
          containerPort: Type.Integer(),
        }),
      ),
    ),
  },
  { description: "What the profile's policy gives the machine beyond the original." },
);

const Spec = Type.Object(
  {
    pod: Type.Object(
      { namespace: Type.String(), name: Type.String(), uid: Type.String() },
      { description: 'The pod that the machine exists for.' },
    ),
    profile: Type.String({ description: 'Name of the FargateProfile.' }),
    size: Type.Object(
      {
        milliCpu: Type.Integer({ minimum: 1, description: 'Thousandths of a vCPU.' }),
        memoryMiB: Type.Integer({ minimum: 1, description: 'Memory of the virtual machine in MiB.' }),
        storageGiB: Type.Integer({ minimum: 1, description: 'Scratch disk in GiB.' }),
      },
      { description: 'What is provisioned.' },
    ),
    placement: Type.Object(
      {
        subnet: Type.String({ description: 'Name of the Subnet.' }),
        zone: Type.String({ description: "The subnet's availability zone." }),
        region: Type.String({ description: 'The region of the cluster.' }),
        address: Type.String({ description: 'IPv4 address of pod and node alike.' }),
      },
      { description: 'Where the machine is.' },
    ),
    securityGroups: Type.Array(Type.String(), {
      description: 'Security groups; none means the cluster security group.',
    }),
    image: Type.String({ description: 'Hash that names the guest image.' }),
    opened: Type.Optional(Opened),
  },
  rules({ rule: 'self == oldSelf', message: 'the spec of a MicroVM is frozen when it is created' }),
);

/** Fields of a connection, as all that tell of one have them. */
export const Flow = {
  direction: Type.Enum(['ingress', 'egress']),
  peer: Type.String({ description: 'IPv4 address of the other side.' }),
  peerPod: Type.Optional(Type.String({ description: 'NAMESPACE/NAME, where it is a pod of the cluster.' })),
  protocol: Type.String(),
  port: Type.Optional(Type.Integer({ description: 'Destination port.' })),
};

const Refused = Type.Object({
  ...Flow,
  by: Type.String({ description: 'The counter of what refused it, such as group-ingress.' }),
  reason: Type.String({ description: 'Which groups or policies have no rule for it, in one sentence.' }),
  packets: Type.Integer({ description: 'Packets that tried to begin it.' }),
  last: Type.String({ format: 'date-time', description: 'When it was tried last.' }),
});

const Status = Type.Object({
  phase: Type.Optional(Type.String({ description: 'The stage that the machine is in, for people.' })),
  conditions: Type.Optional(Type.Array(Condition, { description: 'One per stage.' })),
  stages: Type.Optional(
    Type.Record(Type.String(), Type.String({ format: 'date-time' }), {
      description: 'When each stage was reached, RFC 3339 with milliseconds.',
    }),
  ),
  refused: Type.Optional(
    Type.Array(Refused, {
      description: "The latest connections of ten minutes that the machine's filter refused.",
    }),
  ),
});

/** A machine's stored shape. Its spec is the `Machine` of core without the name, which is the object's. */
export interface MicroVM {
  readonly apiVersion?: typeof API_VERSION;
  readonly kind?: 'MicroVM';
  readonly metadata: NamedMeta;
  readonly spec: Frozen<Static<typeof Spec>>;
  readonly status?: MachineStatus;
}

/** How far it has come, and what its filter refused. */
export type MachineStatus = LifeStatus & { readonly refused?: readonly RefusedFlow[] };

/** The machine that a MicroVM describes. */
export const machineOf = (vm: MicroVM): Machine => ({ name: vm.metadata.name, ...vm.spec });

/** The kind, for the CRD. */
export const microVMKind: Kind = {
  kind: 'MicroVM',
  plural: 'microvms',
  shortNames: ['mvm'],
  description: "One pod's machine and how far it has come.",
  spec: Spec,
  status: Status,
  columns: [
    { name: 'Namespace', type: 'string', jsonPath: '.spec.pod.namespace' },
    { name: 'Pod', type: 'string', jsonPath: '.spec.pod.name' },
    { name: 'Size', type: 'string', jsonPath: '.metadata.annotations.CapacityProvisioned' },
    { name: 'Address', type: 'string', jsonPath: '.spec.placement.address' },
    { name: 'Phase', type: 'string', jsonPath: '.status.phase' },
    { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp' },
    { name: 'Node', type: 'string', jsonPath: '.metadata.annotations.cloister\\.dev/node', priority: 1 },
    { name: 'Profile', type: 'string', jsonPath: '.spec.profile', priority: 1 },
    { name: 'Subnet', type: 'string', jsonPath: '.spec.placement.subnet', priority: 1 },
    { name: 'Image', type: 'string', jsonPath: '.spec.image', priority: 1 },
  ],
  rules: [],
};
