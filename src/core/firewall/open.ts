import { EVERYWHERE } from '../net/ranges.ts';
import type { Firewall } from './firewall.ts';

/** A firewall that lets everything pass, for machines that nobody but the one who starts them answers for. */
export const openFirewall = (address: string): Firewall => {
  const all = { origins: ['open'], allows: [{ peers: EVERYWHERE, origin: 'open' }] };
  return {
    address,
    groups: { ingress: all, egress: all },
    policies: {},
    node: { egress: all.allows, kubeletClients: EVERYWHERE },
  };
};
