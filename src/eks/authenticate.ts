/** Who sent a request: its signature is checked against keys and sessions. */
import { assumedRoleArn, userArn } from '../core/eks/arn.ts';
import type { Rate } from '../core/eks/bucket.ts';
import type { Refusal } from '../core/eks/errors.ts';
import type { Permissions } from '../core/eks/permissions.ts';
import { type Claim, claimOf, refuseClaim, type SignedRequest } from '../core/eks/sigv4.ts';
import type { Key } from './access.ts';
import type { EksContext } from './context.ts';
import { refuseSignature } from './sigv4.ts';

/** Somebody who may call the API. */
export interface Principal {
  /** Of the user, or of the session of a role. */
  readonly arn: string;
  /** What GetCallerIdentity calls `UserId`. */
  readonly userId: string;
  readonly accessKeyId: string;
  readonly permissions: Permissions;
  /** Who they are to kubectl; undefined for nobody. */
  readonly kubernetes?: Key['kubernetes'];
  /** Calls that they may make; undefined for the default. */
  readonly rate?: Rate | undefined;
}

/** The principal of requests that are let through without a signature. */
export const ANONYMOUS: Principal = {
  arn: 'anonymous',
  userId: 'anonymous',
  accessKeyId: 'anonymous',
  permissions: { actions: ['*'], clusters: ['*'] },
};

/** A role that nobody wrote down: its sessions may know who they are, and nothing else. */
const NO_PERMISSIONS: Permissions = { actions: [], clusters: [] };

const UNKNOWN: Refusal = {
  type: 'UnrecognizedClientException',
  message: 'The security token included in the request is invalid.',
};

const EXPIRED: Refusal = {
  type: 'ExpiredTokenException',
  message: 'The security token included in the request is expired',
};

/** A principal with the secret that its requests are signed with. */
interface Candidate {
  readonly principal: Principal;
  readonly secret: string;
}

const candidateOf = (
  { accessKeyId, sessionToken }: Claim,
  { access, sessions, account, now }: EksContext,
): Candidate | Refusal => {
  if (sessionToken === undefined) {
    const key = access.key(accessKeyId);
    if (key === undefined) return UNKNOWN;
    const arn = userArn(account, key.user);
    return {
      principal: { arn, userId: accessKeyId, accessKeyId, ...rights(key) },
      secret: key.secretAccessKey,
    };
  }
  const session = sessions.find(accessKeyId, sessionToken);
  if (session === undefined) return UNKNOWN;
  if (session.until <= now()) return EXPIRED;
  const role = access.role(session.role);
  // A role whose trust was taken back ends for those who hold it, too.
  const trusted = role?.trust.includes(session.subject) === true;
  const principal: Principal = {
    arn: assumedRoleArn(account, session.role, session.session),
    userId: `${session.role}:${session.session}`,
    accessKeyId,
    ...(role !== undefined && trusted ? rights(role) : { permissions: NO_PERMISSIONS }),
  };
  return { principal, secret: session.secretAccessKey };
};

const rights = ({ actions, clusters, kubernetes, rate }: Omit<Key, 'secretAccessKey' | 'user'>) => ({
  permissions: { actions, clusters },
  ...(kubernetes === undefined ? {} : { kubernetes }),
  rate,
});

/** What a signature is expected to be for. */
export interface Expected {
  readonly service: 'eks' | 'sts';
  /** Query-form signatures are valid for so many seconds, whatever they say themselves. Default: what they say. */
  readonly lifeSeconds?: number;
}

/**
 * The principal of a signed request. A principal is given only when the signature holds.
 * @param body as received
 */
export const authenticate = async (
  request: SignedRequest,
  body: Buffer,
  { service, lifeSeconds }: Expected,
  context: EksContext,
): Promise<Principal | Refusal> => {
  const claim = claimOf(request);
  if ('type' in claim) return claim;
  const lasting = lifeSeconds === undefined ? claim : { ...claim, expiresIn: lifeSeconds };
  const untimely = refuseClaim(lasting, { region: context.account.region, service }, context.now());
  if (untimely !== undefined) return untimely;
  const candidate = candidateOf(claim, context);
  if ('type' in candidate) return candidate;
  return (await refuseSignature(request, body, claim, candidate.secret)) ?? candidate.principal;
};
