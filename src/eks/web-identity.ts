/** Roles for service accounts: a pod's projected token becomes credentials (spec/fargate.md §7). */
import { tokenReviews } from '../api/resources.ts';
import { assumedRoleArn, parseRole } from '../core/eks/arn.ts';
import { ROLE_ANNOTATION } from '../core/roles/pulls.ts';
import type { EksContext } from './context.ts';
import type { Content } from './xml.ts';

/** An error in the terms of STS. */
export interface StsFailure {
  readonly status: number;
  readonly code: string;
  readonly message: string;
}

/** Credentials, as STS tells them, and the subject that got them. */
export interface Assumed {
  readonly subject: string;
  readonly result: Content;
}

const fail = (code: string, message: string, status = 400): StsFailure => ({ status, code, message });

/** Shortest, longest and default life of a session in seconds, as STS has them. */
const SHORTEST = 900;
const LONGEST = 43_200;
const DEFAULT = 3600;

interface Wanted {
  readonly arn: string;
  readonly role: string;
  readonly session: string;
  readonly token: string;
  readonly seconds: number;
}

const wantedOf = (parameters: ReadonlyMap<string, string>): Wanted | StsFailure => {
  const value = (name: string): string => parameters.get(name) ?? '';
  const missing = ['RoleArn', 'RoleSessionName', 'WebIdentityToken'].find((name) => value(name) === '');
  if (missing !== undefined) return fail('ValidationError', `${missing} must be given`);
  const role = parseRole(value('RoleArn'));
  if (role === undefined)
    return fail('ValidationError', `${value('RoleArn').slice(0, 200)} is no ARN of a role without a path`);
  const session = value('RoleSessionName');
  if (!/^[\w+=,.@-]{2,64}$/.test(session))
    return fail('ValidationError', 'RoleSessionName has 2 to 64 letters, digits and characters of +=,.@-_');
  const seconds = Number(parameters.get('DurationSeconds') ?? DEFAULT);
  if (!Number.isInteger(seconds) || seconds < SHORTEST || seconds > LONGEST)
    return fail('ValidationError', `DurationSeconds must be from ${SHORTEST} to ${LONGEST}`);
  if (parameters.has('Policy') || [...parameters.keys()].some((name) => name.startsWith('PolicyArns')))
    return fail('ValidationError', 'session policies are not supported');
  return { arn: value('RoleArn'), role: role.name, session, token: value('WebIdentityToken'), seconds };
};

const INVALID_TOKEN = fail(
  'InvalidIdentityToken',
  'The token is none that this cluster issued for this audience, or it has expired, or its pod is gone.',
);

const DENIED = fail('AccessDenied', 'Not authorized to perform sts:AssumeRoleWithWebIdentity', 403);

/**
 * Asks the API server, which has the keys: signature, issuer, audience and times, and that the pod and the
 * service account that the token is bound to still exist.
 */
const review = async (token: string, { client, settings }: EksContext) => {
  const { status } = await client.create(tokenReviews, {
    apiVersion: 'authentication.k8s.io/v1',
    kind: 'TokenReview',
    metadata: {},
    spec: { token, audiences: [...settings.audiences] },
  });
  const username = status?.authenticated === true ? status.user?.username : undefined;
  const account = /^system:serviceaccount:([^:]+):([^:]+)$/.exec(username ?? '');
  const audience = status?.audiences?.find((one) => settings.audiences.includes(one));
  if (account === null || username === undefined || audience === undefined) return undefined;
  return { subject: username, namespace: account[1] ?? '', name: account[2] ?? '', audience };
};

/**
 * Takes a role. Its trust is the service account's annotation: no other account gets the role. What the role
 * may do is decided where it is used, by the role's entry in the Secret and whom that trusts.
 */
export const assumeRole = async (
  parameters: ReadonlyMap<string, string>,
  context: EksContext,
): Promise<Assumed | StsFailure> => {
  const wanted = wantedOf(parameters);
  if ('code' in wanted) return wanted;
  const who = await review(wanted.token, context);
  if (who === undefined) return INVALID_TOKEN;
  const account = await context.serviceAccount(who.namespace, who.name);
  if (account?.metadata.annotations?.[ROLE_ANNOTATION] !== wanted.arn) return DENIED;
  const { role, session, seconds } = wanted;
  const until = context.now() + seconds * 1000;
  const pair = context.sessions.open({ role, session, subject: who.subject, until });
  return {
    subject: who.subject,
    result: {
      SubjectFromWebIdentityToken: who.subject,
      Audience: who.audience,
      AssumedRoleUser: {
        Arn: assumedRoleArn(context.account, role, session),
        AssumedRoleId: `${role}:${session}`,
      },
      Credentials: {
        AccessKeyId: pair.accessKeyId,
        SecretAccessKey: pair.secretAccessKey,
        SessionToken: pair.sessionToken,
        Expiration: new Date(until).toISOString(),
      },
      Provider: context.cluster.issuer,
    },
  };
};
