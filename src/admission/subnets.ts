/** New subnets, which lie within the network and beside each other, as in EC2. */
import { newSubnetProblem, type Vpc } from '../core/placement/new-subnet.ts';
import { type AdmissionRequest, type Answer, refuse } from './review.ts';

/** Network and subnets as they are now. */
export type VpcNow = () => Promise<Vpc>;

/** Answers reviews of subnets that are made; their ranges never change. */
export const subnetReviewer =
  (now: VpcNow) =>
  async ({ name = '', object: { spec } }: AdmissionRequest): Promise<Answer> => {
    const cidr = 'cidr' in spec && typeof spec.cidr === 'string' ? spec.cidr : '';
    const problem = newSubnetProblem({ metadata: { name }, spec: { cidr } }, await now());
    return problem === undefined ? { allowed: true } : refuse(problem);
  };
