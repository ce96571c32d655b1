/** What every part of the API works with. */
import type { Logger } from 'pino';
import type { FargateProfile } from '../api/fargate-profile.ts';
import type { ServiceAccount } from '../api/resources.ts';
import type { Subnet } from '../api/subnet.ts';
import type { Account } from '../core/eks/arn.ts';
import type { Rate } from '../core/eks/bucket.ts';
import type { ClusterView } from '../core/eks/create.ts';
import type { Places } from '../core/placement/subnets.ts';
import type { ProfileLimits } from '../core/profile/rules.ts';
import type { KubeClient } from '../kube/client.ts';
import type { Access } from './access.ts';
import type { Sessions } from './sessions.ts';

/** The cluster that the API speaks of, as DescribeCluster tells it. */
export interface ClusterFacts {
  readonly name: string;
  readonly status: ClusterView['status'];
  /** When it was made, RFC 3339. */
  readonly createdAt: string;
  /** Kubernetes minor, `1.36`. */
  readonly version: string;
  /** URL of the API server as clients reach it. */
  readonly endpoint: string;
  /** PEM. */
  readonly certificateAuthority: string;
  readonly serviceCidr: string;
  /** Issuer of service-account tokens. */
  readonly issuer: string;
  readonly vpcId: string;
  readonly securityGroupId: string;
}

/** What operators can switch. */
export interface EksSettings {
  /** At most one profile is created or deleted at a time, as in the original. */
  readonly oneAtATime: boolean;
  /** UpdateFargateProfile, which the original does not have. */
  readonly updates: boolean;
  readonly limits: ProfileLimits;
  readonly places: Places;
  /** Calls per key, unless the key says otherwise. */
  readonly rate: Rate;
  /** Audiences of service-account tokens that roles can be taken with. */
  readonly audiences: readonly string[];
}

/** The ports of the API. */
export interface EksContext {
  readonly client: KubeClient;
  readonly account: Account;
  readonly cluster: ClusterFacts;
  readonly settings: EksSettings;
  readonly access: Access;
  readonly sessions: Sessions;
  /** As kept up to date by watches; for reading only, changes look at the API server itself. */
  readonly profiles: { get(name: string): FargateProfile | undefined; list(): readonly FargateProfile[] };
  readonly subnets: () => readonly Subnet[];
  /** The list `mapRoles` of `aws-auth`. */
  readonly mapRoles: () => readonly unknown[];
  readonly serviceAccount: (namespace: string, name: string) => Promise<ServiceAccount | undefined>;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  readonly log: Logger;
}
