/**
 * The webhook by which the API server believes tokens of `aws eks get-token`: each is a presigned call of
 * GetCallerIdentity that names the cluster in a signed header. Verified here, not sent to anybody.
 * Source: Kubernetes documentation "Webhook Token Authentication"; aws-iam-authenticator's README for the form.
 */
import { Type } from 'typebox';
import { isRefusal } from '../core/eks/errors.ts';
import { authenticate, type Principal } from './authenticate.ts';
import type { EksContext } from './context.ts';
import { parseBody } from './http.ts';
import type { EksInstance } from './instance.ts';
import { parseTarget } from './sigv4.ts';

/** Path of the webhook. */
export const AUTHENTICATE_PATH = '/authenticate';

const PREFIX = 'k8s-aws-v1.';
const CLUSTER_HEADER = 'x-k8s-aws-id';
/** Such tokens are good for a quarter of an hour after they were signed, whatever their `X-Amz-Expires` says. */
const LIFE_SECONDS = 900;
/** Longer tokens are not looked at. */
const LONGEST = 16_384;

const Review = Type.Object({
  apiVersion: Type.Literal('authentication.k8s.io/v1'),
  kind: Type.Literal('TokenReview'),
  spec: Type.Object({
    token: Type.Optional(Type.String()),
  }),
});

/** The principal of a token; undefined for every token that is not of this cluster and this moment. */
export const principalOfToken = async (
  token: string,
  context: EksContext,
): Promise<Principal | undefined> => {
  if (!token.startsWith(PREFIX) || token.length > LONGEST) return undefined;
  const text = Buffer.from(token.slice(PREFIX.length), 'base64url').toString('utf8');
  const parts = /^https?:\/\/([A-Za-z0-9.:[\]-]+)(\/\?[^#]*)$/.exec(text);
  const target = parts === null ? undefined : parseTarget(parts[2] ?? '');
  if (parts === null || target === undefined) return undefined;
  const { Action: action, Version: version } = target.query;
  if (action?.join() !== 'GetCallerIdentity' || version?.join() !== '2011-06-15') return undefined;
  // The signature fails unless it covers this very host and this very cluster.
  const headers = { host: parts[1] ?? '', [CLUSTER_HEADER]: context.cluster.name };
  const covered = target.query['X-Amz-SignedHeaders']?.[0]?.split(';').includes(CLUSTER_HEADER);
  if (covered !== true) return undefined;
  const principal = await authenticate(
    { method: 'GET', ...target, headers },
    Buffer.alloc(0),
    { service: 'sts', lifeSeconds: LIFE_SECONDS },
    context,
  );
  return isRefusal(principal) ? undefined : principal;
};

export const tokenRoutes = (server: EksInstance, context: EksContext): void => {
  server.post(
    AUTHENTICATE_PATH,
    {
      preValidation: async (request) => {
        request.audit['action'] = 'kubernetes:TokenReview';
        const parsed: unknown = parseBody(request.body);
        Object.assign(request, { body: parsed });
      },
      schema: { body: Review },
    },
    async (request) => {
      const { spec } = request.body;
      const principal = await principalOfToken(spec.token ?? '', context);
      const identity = principal?.kubernetes;
      // No audiences are told: the API server then takes the token for itself alone.
      const status =
        principal === undefined || identity === undefined
          ? { authenticated: false }
          : {
              authenticated: true,
              user: {
                username: identity.username ?? principal.arn,
                uid: principal.arn,
                groups: identity.groups,
                extra: { arn: [principal.arn], accessKeyId: [principal.accessKeyId] },
              },
            };
      request.principal = principal ?? null;
      return { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenReview', status };
    },
  );
};
