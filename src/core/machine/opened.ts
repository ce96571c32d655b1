/**
 * What a profile's policy gives a machine beyond the original: frozen with it, since a policy may change while
 * pods run. Nothing of it leaves the guest, which is the pod's own.
 */
import type { Pod } from '../pod.ts';
import type { Policy, Rlimits } from '../validation/policy.ts';

/** A port of the machine's address that leads to another port of the pod. */
export interface HostPort {
  readonly protocol: 'tcp' | 'udp';
  readonly hostPort: number;
  readonly containerPort: number;
}

/** What a machine has that the original does not give; left out, each is as there. */
export interface Opened {
  /** Labels of the Node besides its own. */
  readonly nodeLabels?: Readonly<Record<string, string>> | undefined;
  readonly rlimits?: Rlimits | undefined;
  /** The kubelet takes pods with any sysctl that belongs to their namespaces. */
  readonly sysctls?: boolean | undefined;
  /** The pod uses the network namespace of its guest. */
  readonly hostNetwork?: boolean | undefined;
  readonly hostPorts?: readonly HostPort[] | undefined;
}

/** Addresses by which "every address of the host" is written in `hostIP`. */
const ANYWHERE = ['', '0.0.0.0', '::'];

/**
 * Host ports that differ from their container ports: equal ones need no translation, for the host's address is
 * the pod's. A hostIP is an address that the guest does not have, unless it stands for all of them.
 */
const hostPortsOf = ({ spec }: Pod): readonly HostPort[] =>
  [...(spec.initContainers ?? []), ...spec.containers].flatMap(({ ports }) =>
    (ports ?? []).flatMap(({ hostPort = 0, containerPort, hostIP = '', protocol = 'TCP' }): HostPort[] => {
      const known = protocol === 'TCP' || protocol === 'UDP';
      if (!known || hostPort <= 0 || hostPort === containerPort || !ANYWHERE.includes(hostIP)) return [];
      return [{ protocol: protocol === 'TCP' ? 'tcp' : 'udp', hostPort, containerPort }];
    }),
  );

/**
 * What the policy gives the machine of this pod.
 * @returns undefined when that is nothing, as for every profile that is as the original
 */
export const openedFor = (pod: Pod, policy: Policy): Opened | undefined => {
  const { nodeLabels = {}, rlimits = {} } = policy;
  const hostNetwork = Boolean(policy.hostNamespaces && pod.spec.hostNetwork);
  const hostPorts = policy.hostPorts && !hostNetwork ? hostPortsOf(pod) : [];
  const opened: Opened = {
    ...(Object.keys(nodeLabels).length > 0 && { nodeLabels }),
    ...(Object.keys(rlimits).length > 0 && { rlimits }),
    ...(policy.sysctls && { sysctls: true }),
    ...(hostNetwork && { hostNetwork }),
    ...(hostPorts.length > 0 && { hostPorts }),
  };
  return Object.keys(opened).length === 0 ? undefined : opened;
};
