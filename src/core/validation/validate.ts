/**
 * Which fields of a pod Fargate refuses, with the exact texts of the original (spec/fargate.md §3).
 * All violations are found at once; the order of clauses differs between the two gates.
 */
import { SCHEDULER } from '../names.ts';
import type { Container, Pod } from '../pod.ts';
import { isDaemonSetPod } from '../profile/match.ts';
import { requestsOf } from '../sizing/requests.ts';
import type { Policy } from './policy.ts';
import { refusedInContainer } from './security.ts';
import { type Claims, refusedVolumes } from './volumes.ts';

/** What a clause is about. */
export type Topic =
  | 'scheduler'
  | 'owner'
  | 'fields'
  | 'security'
  | 'volumes'
  | 'devices'
  | 'ports'
  | 'resources';

/** A refused field, or several of one kind. */
export interface Violation {
  readonly topic: Topic;
  /** The clause as it stands in the scheduler's message. */
  readonly clause: string;
  /** JSON pointers to everything that is refused. */
  readonly at: readonly string[];
  /** It can pass without a change to the pod, as a claim that is not bound yet. */
  readonly transient: boolean;
}

/** The two places where pods are judged. */
export type Gate = 'scheduler' | 'kubelet';

const ORDER: Record<Gate, readonly Topic[]> = {
  scheduler: ['owner', 'fields', 'security', 'volumes', 'devices', 'ports', 'resources'],
  kubelet: ['scheduler', 'owner', 'fields', 'volumes', 'security', 'devices', 'ports', 'resources'],
};

const PREFIX: Record<Gate, string> = {
  scheduler: 'Pod not supported on Fargate: ',
  kubelet: 'Pod not supported: ',
};

const VOLUMES_PREFIX = 'volumes not supported: ';

/** A container with the JSON pointer to it. */
interface Placed {
  readonly container: Container;
  readonly at: string;
}

const containersOf = (pod: Pod): readonly Placed[] => [
  ...(pod.spec.initContainers ?? []).map((container, i) => ({ container, at: `/spec/initContainers/${i}` })),
  ...(pod.spec.containers ?? []).map((container, i) => ({ container, at: `/spec/containers/${i}` })),
];

const lasting = (topic: Topic, clause: string, at: readonly string[]): readonly Violation[] =>
  at.length === 0 ? [] : [{ topic, clause, at, transient: false }];

const scheduler = (pod: Pod): readonly Violation[] =>
  pod.spec.schedulerName === SCHEDULER
    ? []
    : lasting('scheduler', `SchedulerName is not ${SCHEDULER}`, ['/spec/schedulerName']);

const owner = (pod: Pod): readonly Violation[] =>
  isDaemonSetPod(pod) ? lasting('owner', 'DaemonSet not supported', ['/metadata/ownerReferences']) : [];

const HOST_NAMESPACES = [
  ['hostNetwork', 'HostNetwork'],
  ['hostPID', 'HostPID'],
  ['hostIPC', 'HostIPC'],
] as const;

const fields = (pod: Pod): readonly Violation[] => {
  const set = HOST_NAMESPACES.filter(([field]) => pod.spec[field] === true);
  const clause = `fields not supported: ${set.map(([, name]) => name).join(', ')}`;
  return lasting(
    'fields',
    clause,
    set.map(([field]) => `/spec/${field}`),
  );
};

/** Items of one container are joined by `, `, containers by `,` (§3.1). */
const security = (containers: readonly Placed[], policy: Policy): readonly Violation[] => {
  const refused = containers
    .map(({ container, at }) => ({ at, items: refusedInContainer(container, policy) }))
    .filter(({ items }) => items.length > 0);
  const clause = `invalid SecurityContext fields: ${refused
    .map(({ items }) => items.map((item) => item.text).join(', '))
    .join(',')}`;
  const at = refused.flatMap(({ at, items }) => items.map((item) => `${at}/securityContext/${item.field}`));
  return lasting('security', clause, at);
};

const volumes = (pod: Pod, policy: Policy, claims: Claims | undefined): readonly Violation[] => {
  const refused = refusedVolumes(pod, policy, claims);
  if (refused.length === 0) return [];
  return [
    {
      topic: 'volumes',
      clause: VOLUMES_PREFIX + refused.map((item) => item.text).join(', '),
      at: refused.map((item) => `/spec/volumes/${item.index}`),
      transient: refused.every((item) => item.transient),
    },
  ];
};

const devices = (containers: readonly Placed[]): readonly Violation[] => {
  const with_ = containers.filter(({ container }) => (container.volumeDevices ?? []).length > 0);
  return lasting(
    'devices',
    'volumeDevices not supported',
    with_.map(({ at }) => `${at}/volumeDevices`),
  );
};

const ports = (containers: readonly Placed[]): readonly Violation[] => {
  const at = containers.flatMap(({ container, at }) =>
    (container.ports ?? []).flatMap((port, i) => [
      ...((port.hostPort ?? 0) > 0 ? [`${at}/ports/${i}/hostPort`] : []),
      ...(port.hostIP ? [`${at}/ports/${i}/hostIP`] : []),
    ]),
  );
  return lasting('ports', 'port contains HostIP or HostPort', at);
};

/** Our own clause: the original never gives such pods a node, with a text that is not known (§3.5). */
const resources = (pod: Pod): readonly Violation[] => {
  const names = requestsOf(pod).unsupported;
  return names.length === 0
    ? []
    : [
        {
          topic: 'resources',
          clause: `resources not supported: ${names.join(', ')}`,
          at: [],
          transient: false,
        },
      ];
};

/** What is refused in one container on its own, as clauses: security context, block devices, ports. */
export const containerRefusals = (container: Container, policy: Policy): readonly string[] => {
  const placed = [{ container, at: '' }];
  return [...security(placed, policy), ...devices(placed), ...(policy.hostPorts ? [] : ports(placed))].map(
    ({ clause }) => clause,
  );
};

/**
 * Everything about the pod that Fargate refuses, in the order of the scheduler's clauses, what the profile's
 * policy allows left out.
 * @param claims what is known of the pod's claims; without it they are not judged, as at admission
 * @throws QuantityError when a quantity is malformed
 */
export const violationsOf = (pod: Pod, policy: Policy = {}, claims?: Claims): readonly Violation[] => {
  const containers = containersOf(pod);
  return [
    ...owner(pod),
    ...(policy.hostNamespaces ? [] : fields(pod)),
    ...security(containers, policy),
    ...volumes(pod, policy, claims),
    ...devices(containers),
    ...(policy.hostPorts ? [] : ports(containers)),
    ...resources(pod),
  ];
};

/**
 * The message of a gate, or undefined when nothing is refused. The kubelet's clauses stand in another order,
 * begin with the scheduler's name, and give volumes without a prefix (§3.1).
 */
export const refusal = (
  pod: Pod,
  violations: readonly Violation[],
  gate: Gate = 'scheduler',
): string | undefined => {
  const all = gate === 'kubelet' ? [...scheduler(pod), ...violations] : violations;
  const clauses = ORDER[gate].flatMap((topic) =>
    all
      .filter((violation) => violation.topic === topic)
      .map(({ clause }) =>
        gate === 'kubelet' && topic === 'volumes' ? clause.slice(VOLUMES_PREFIX.length) : clause,
      ),
  );
  return clauses.length === 0 ? undefined : PREFIX[gate] + clauses.join(', ');
};
