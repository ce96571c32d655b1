/** The link between a machine's namespace and its guest: the same for every machine, each has its own. */

/** Address of the node's own processes inside the guest; translated to the machine's address outside. */
export const NODE_ADDRESS = '169.254.100.1';

/** Source of ICMP errors that the namespace sends to the guest; nothing answers on it. */
export const TAP_ADDRESS = '169.254.100.254';

/** The guest's network card. One for all machines, so that a template can be resumed as any of them. */
export const GUEST_MAC = '02:c1:05:7e:00:02';

/** The namespace's end of the link; the guest's init has it as the neighbour to send everything to. */
export const TAP_MAC = '02:c1:05:7e:00:01';

/** Next hop of the namespace's own default route: the VPC router's end of the veth pair. */
export const ROUTER_ADDRESS = '169.254.0.1';

/**
 * The router's end of every link. Fixed, so that a machine's namespace, which has no address of its own to ask
 * from, needs no ARP: strict reverse-path filtering would refuse the question.
 */
export const ROUTER_MAC = '02:c1:05:7e:00:03';
