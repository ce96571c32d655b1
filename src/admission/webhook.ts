/** The admission server: HTTPS, called by the API server for every pod and profile that is created. */
import { type TypeBoxTypeProvider, TypeBoxValidatorCompiler } from '@fastify/type-provider-typebox';
import { type FastifyError, type FastifyReply, type FastifyRequest, fastify } from 'fastify';
import type { Logger } from 'pino';
import { dependentsOfGroup, dependentsOfList } from '../core/groups/existence.ts';
import {
  DELETE_GROUP_PATH,
  DELETE_LIST_PATH,
  MUTATE_GROUPS_PATH,
  MUTATE_PATH,
  VALIDATE_EPHEMERAL_PATH,
  VALIDATE_GROUPS_PATH,
  VALIDATE_PROFILES_PATH,
  VALIDATE_SUBNETS_PATH,
} from './configuration.ts';
import { type DependentsNow, deletionReviewer } from './deletions.ts';
import { type EphemeralContext, ephemeralReviewer } from './ephemeral.ts';
import type { Gates } from './gates.ts';
import { type GroupSources, groupsGuard, groupsReviewer } from './groups.ts';
import type { Identities } from './identities.ts';
import { podReviewer } from './pods.ts';
import { type ProfileLimits, profileReviewer } from './profiles.ts';
import {
  type AdmissionRequest,
  AdmissionReview,
  type Answer,
  type DeletionRequest,
  DeletionReview,
  reviewed,
} from './review.ts';
import { subnetReviewer, type VpcNow } from './subnets.ts';

/** What the server needs. */
export interface AdmissionOptions extends ProfileLimits, Omit<EphemeralContext, 'profiles'> {
  /** PEM of the serving certificate and its key. */
  readonly tls: { readonly certificate: string; readonly key: string };
  readonly log: Logger;
  /** Without it, pods get no roles of their service accounts from us. */
  readonly identities?: Identities;
  /** Where security groups of pods come from. Without it, pods get none. */
  readonly groups?: GroupSources;
  /** What may use security groups and prefix lists. Without it, nothing does. */
  readonly dependents?: DependentsNow;
  /** What new subnets must fit into. Without it, they may lie anywhere. */
  readonly vpc?: VpcNow;
  /** Without it, no pod waits for a balancer. */
  readonly gates?: Gates;
}

/**
 * Largest review in bytes. The API server takes requests of up to 3 MiB, asks with the object and the one before it,
 * and its JSON has six bytes for characters such as `<` (Go, `encoding/json`, HTMLEscape). A review beyond the limit
 * would let its pod slip past us, as we are fail-open.
 */
const BODY_LIMIT = 3 * 2 * 6 * 1024 * 1024;

/**
 * How long a connection stays on which nothing comes, in milliseconds: longer than the 90 s after which API servers
 * close it (Go, `http.DefaultTransport`). Were it us who close, a review on its way at that moment would be lost, and
 * with it, as we are fail-open, a pod. Go also keeps connections that it has never used: to Node.js they are ones
 * whose first request is late.
 */
const QUIET_MS = 120_000;

/** A request that is no AdmissionReview gets 400 and what is wrong with it; the API server then fails open. */
const explain = (log: Logger) => (error: FastifyError, request: FastifyRequest, reply: FastifyReply) => {
  const code = error.statusCode ?? 500;
  log.warn({ url: request.url, code, err: error }, 'review not understood');
  const message =
    code < 500 ? `not an AdmissionReview of admission.k8s.io/v1: ${error.message}` : error.message;
  return reply.code(code).send({ code, message });
};

/** Makes the server; the caller listens, closes, and renews the certificate. */
export const admissionServer = ({
  tls,
  log,
  identities,
  gates,
  groups,
  dependents,
  vpc,
  ...limits
}: AdmissionOptions) => {
  const server = fastify({
    https: { cert: tls.certificate, key: tls.key, headersTimeout: QUIET_MS },
    bodyLimit: BODY_LIMIT,
    forceCloseConnections: true,
    keepAliveTimeout: QUIET_MS,
    requestTimeout: QUIET_MS,
    // A pod with such a key must not slip past us by a refused review: the webhook is fail-open.
    onProtoPoisoning: 'remove',
    onConstructorPoisoning: 'remove',
  })
    .withTypeProvider<TypeBoxTypeProvider>()
    .setValidatorCompiler(TypeBoxValidatorCompiler);
  server.setErrorHandler(explain(log));

  const route = (path: string, answer: (request: AdmissionRequest) => Answer | Promise<Answer>): void => {
    server.post(path, { schema: { body: AdmissionReview } }, async ({ body }) =>
      reviewed(body.request.uid, await answer(body.request)),
    );
  };
  const deletion = (path: string, answer: (request: DeletionRequest) => Promise<Answer>): void => {
    server.post(path, { schema: { body: DeletionReview } }, async ({ body }) =>
      reviewed(body.request.uid, await answer(body.request)),
    );
  };
  route(MUTATE_PATH, podReviewer(limits.profiles, log, { identities, gates }));
  if (groups !== undefined) {
    route(MUTATE_GROUPS_PATH, groupsReviewer(groups, log));
    route(VALIDATE_GROUPS_PATH, groupsGuard(groups, log));
  }
  route(VALIDATE_PROFILES_PATH, profileReviewer(limits));
  if (vpc !== undefined) route(VALIDATE_SUBNETS_PATH, subnetReviewer(vpc));
  route(VALIDATE_EPHEMERAL_PATH, ephemeralReviewer(limits));
  if (dependents !== undefined) {
    deletion(DELETE_GROUP_PATH, deletionReviewer('DeleteSecurityGroup', dependentsOfGroup, dependents));
    deletion(DELETE_LIST_PATH, deletionReviewer('DeleteManagedPrefixList', dependentsOfList, dependents));
  }
  server.get('/healthz', async () => 'ok');
  return server;
};
