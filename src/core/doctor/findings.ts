/** What is wrong with a cluster that runs Cloister, and what to do about each thing. */

import { FACTS } from '../facts.ts';
import { groupsOn } from '../groups/annotation.ts';
import { counts, type GroupPolicy } from '../groups/policies.ts';
import { dnsOff, dnsRemedy, NETWORK, type NetworkLike } from '../net/network.ts';
import type { Occupancy } from '../placement/occupancy.ts';
import {
  launchText,
  type Places,
  type SubnetLike,
  subnetProblem,
  subnetsFor,
  usableAddresses,
} from '../placement/subnets.ts';
import type { Pod } from '../pod.ts';
import { type LaunchRoles, type RoleUser, roleProblem } from '../roles/launch.ts';

/** One thing that is wrong. */
export interface Finding {
  /** One CamelCase word for programs. */
  readonly code: string;
  /** The object: kind in lower case, a slash, and `namespace/name` or `name`. */
  readonly about: string;
  /** One sentence. */
  readonly problem: string;
  /** What to do. */
  readonly remedy: string;
}

/** What is looked at. */
export interface Patient {
  readonly network: NetworkLike | undefined;
  readonly places: Places;
  readonly profiles: readonly {
    readonly metadata: RoleUser;
    readonly spec: { readonly subnets?: readonly string[]; readonly podExecutionRoleArn?: string };
  }[];
  /** What pod execution roles are judged by; undefined where none is. */
  readonly roles?: LaunchRoles | undefined;
  /** The account may launch nothing. */
  readonly accountBlocked?: boolean;
  readonly subnets: readonly SubnetLike[];
  readonly occupancy: Pick<Occupancy, 'inUse'>;
  readonly groupExists: (name: string) => boolean;
  readonly groupPolicies: readonly (GroupPolicy & { readonly metadata: { readonly namespace?: string } })[];
  /** What groups lack for a node to join, one sentence each; no groups means the cluster security group. */
  readonly lacks: (groups: readonly string[]) => readonly string[];
  /** Pods of our scheduler. */
  readonly pods: readonly Pod[];
  /** Whether the fail-closed webhooks answer; undefined when it could not be tried. */
  readonly webhooksAnswer: boolean | undefined;
  /** The host's uplink whose packets its own firewall drops; undefined when it does not, or is not known to. */
  readonly droppedUplink: string | undefined;
}

const ofNetwork = ({ network, groupExists }: Patient): readonly Finding[] => {
  const about = `network/${NETWORK}`;
  if (network === undefined)
    return [
      {
        code: 'NetworkMissing',
        about,
        problem: 'there is no Network, so nobody knows which networks and groups machines have',
        remedy: 'run `./tool up` again, or apply a Network named cluster (docs/guide.md)',
      },
    ];
  const group = network.spec.clusterSecurityGroup;
  const off = dnsOff(network);
  return [
    ...(off.length === 0
      ? []
      : [
          {
            code: 'DnsOff',
            about,
            problem: `${off.join(' and ')} off: machines cannot join`,
            remedy: dnsRemedy(off),
          },
        ]),
    ...(groupExists(group)
      ? []
      : [
          {
            code: 'ClusterGroupMissing',
            about,
            problem: `the cluster security group ${group} does not exist: machines without groups are closed`,
            remedy: `create SecurityGroup ${group}, or name another in spec.clusterSecurityGroup`,
          },
        ]),
  ];
};

const ofProfiles = ({ profiles, subnets, places }: Patient): readonly Finding[] =>
  profiles.flatMap(({ metadata, spec }) => {
    const { usable, problems } = subnetsFor(spec.subnets, subnets, places);
    const about = `fargateprofile/${metadata.name}`;
    if (usable.length > 0)
      return problems.map((problem) => ({
        code: 'SubnetUnusable',
        about,
        problem,
        remedy: 'take it out of spec.subnets, or make it one that pods can use',
      }));
    return [
      {
        code: 'ProfileWithoutSubnet',
        about,
        problem: `no subnet is left for its pods: ${problems.join('; ')}`,
        remedy: 'create a private Subnet within the network, or name one in spec.subnets',
      },
    ];
  });

const ofRoles = ({ profiles, roles }: Patient): readonly Finding[] =>
  profiles.flatMap((profile) => {
    const problem = roles && roleProblem(profile, roles);
    if (problem === undefined) return [];
    const { message, because } = problem;
    return [
      {
        code: because === undefined ? 'RoleNotMapped' : 'RoleNotTrusting',
        about: `fargateprofile/${profile.metadata.name}`,
        problem: because ?? message,
        remedy:
          because === undefined
            ? 'put the role back into kubectl -n kube-system edit configmap aws-auth (docs/aws-clients.md)'
            : 'correct the PodExecutionRole, or create it (docs/aws-clients.md)',
      },
    ];
  });

const ofAccount = ({ accountBlocked }: Patient): readonly Finding[] =>
  accountBlocked
    ? [
        {
          code: 'AccountBlocked',
          about: `configmap/${FACTS.namespace}/${FACTS.name}`,
          problem: 'the account is blocked: no pod is launched',
          remedy: "take accountBlocked out of the controller's configuration and start the controller again",
        },
      ]
    : [];

const ofSubnets = ({ subnets, places, occupancy }: Patient): readonly Finding[] =>
  subnets.flatMap((subnet): readonly Finding[] => {
    const { name } = subnet.metadata;
    const about = `subnet/${name}`;
    const problem = subnetProblem(name, subnet, places);
    if (problem !== undefined)
      return problem.kind === 'outside'
        ? [
            {
              code: 'SubnetOutside',
              about,
              problem: launchText(problem),
              remedy: `add its network: kubectl patch network ${NETWORK} --type json -p '[{"op":"add","path":"/spec/cidrs/-","value":"${problem.cidr}"}]'`,
            },
          ]
        : []; // public subnets and those of other zones have their uses
    const [usable] = subnetsFor([name], [subnet], places).usable;
    if (usable === undefined) return [];
    const addresses = usableAddresses(usable.network);
    return occupancy.inUse(name) < addresses
      ? []
      : [
          {
            code: 'SubnetExhausted',
            about,
            problem: `all ${addresses} addresses are in use`,
            remedy:
              'add a Subnet to the profiles that name it (of a secondary CIDR, where the network is full)',
          },
        ];
  });

const ofPolicies = ({ groupPolicies, groupExists }: Patient): readonly Finding[] =>
  groupPolicies.flatMap((policy) => {
    const about = `securitygrouppolicy/${policy.metadata.namespace}/${policy.metadata.name}`;
    if (!counts(policy))
      return [
        {
          code: 'PolicyIgnored',
          about,
          problem: 'it has neither selector, or no groups, and does nothing',
          remedy: 'give it a selector ({} for all pods of the namespace) and groups, or delete it',
        },
      ];
    return (policy.spec?.securityGroups?.groupIds ?? [])
      .filter((group) => !groupExists(group))
      .map((group) => ({
        code: 'GroupMissing',
        about,
        problem: `it names SecurityGroup ${group}, which does not exist: its pods stay Pending`,
        remedy: `create SecurityGroup ${group}, or take it out and make the pods anew`,
      }));
  });

const keyOf = ({ metadata }: Pod): string => `${metadata.namespace}/${metadata.name}`;

/** Each set of groups that pods have, once, with one of these pods. */
const ofGroups = ({ pods, lacks, groupExists }: Patient): readonly Finding[] => {
  const bySet = new Map<string, { readonly groups: readonly string[]; readonly pod: Pod }>();
  for (const pod of pods) bySet.set(groupsOn(pod).join(','), { groups: groupsOn(pod), pod });
  return [...bySet.values()]
    .filter(({ groups }) => groups.every(groupExists))
    .flatMap(({ groups, pod }) =>
      lacks(groups).map((lack) => ({
        code: 'GroupsLack',
        about: `pod/${keyOf(pod)}`,
        problem: `its security groups lack ${lack}`,
        remedy: 'add the rule, or the cluster security group to the SecurityGroupPolicy',
      })),
    );
};

const ofPods = ({ pods }: Patient): readonly Finding[] =>
  pods.flatMap((pod) => {
    const told = pod.status?.conditions?.find(
      ({ type, status }) => type === 'PodScheduled' && status === 'False',
    );
    if (told === undefined || pod.spec.nodeName || pod.metadata.deletionTimestamp !== undefined) return [];
    return [
      {
        code: 'PodPending',
        about: `pod/${keyOf(pod)}`,
        problem: told.message ?? told.reason ?? 'it waits',
        remedy: `cloister why pod/${pod.metadata.name} -n ${pod.metadata.namespace}`,
      },
    ];
  });

const ofSurroundings = ({ webhooksAnswer, droppedUplink }: Patient): readonly Finding[] => [
  ...(webhooksAnswer === false
    ? [
        {
          code: 'WebhooksAway',
          about: 'validatingwebhookconfiguration/profiles.cloister.dev',
          problem: 'the API server cannot call the webhooks: new pods go to the default scheduler',
          remedy: 'start the controller (`./tool up` again), and look into its log',
        },
      ]
    : []),
  ...(droppedUplink === undefined
    ? []
    : [
        {
          code: 'ForwardDropped',
          about: `interface/${droppedUplink}`,
          problem:
            "the host's own firewall drops forwarded packets (FORWARD policy DROP), so pods reach nothing outside",
          remedy: `iptables -I FORWARD -i ${droppedUplink} -j ACCEPT; iptables -I FORWARD -o ${droppedUplink} -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT`,
        },
      ]),
];

/** Everything that is wrong, what others depend on first. */
export const findingsOf = (patient: Patient): readonly Finding[] => [
  ...ofSurroundings(patient),
  ...ofNetwork(patient),
  ...ofAccount(patient),
  ...ofProfiles(patient),
  ...ofRoles(patient),
  ...ofSubnets(patient),
  ...ofPolicies(patient),
  ...ofGroups(patient),
  ...ofPods(patient),
];
