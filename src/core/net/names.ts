/** Names that the VPC's resolver gives to addresses (spec/fargate.md §5; AWS "DNS attributes for your VPC"). */
import { NODE_PREFIX } from '../names.ts';

/** Domain of private names: `ec2.internal` in us-east-1, `<region>.compute.internal` elsewhere. */
const privateDomain = (region: string): string =>
  region === 'us-east-1' ? 'ec2.internal' : `${region}.compute.internal`;

/** Private name of an address, e.g. `ip-10-42-64-7.local-1.compute.internal`. */
export const privateName = (address: string, region: string): string =>
  `ip-${address.replaceAll('.', '-')}.${privateDomain(region)}`;

/** Name of the node with that address, e.g. `fargate-ip-10-42-64-7.local-1.compute.internal`. */
export const nodeName = (address: string, region: string): string =>
  `${NODE_PREFIX}${privateName(address, region)}`;
