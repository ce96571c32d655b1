/**
 * The EKS-shaped API: REST-JSON as in the service model 2017-11-01, and beside it what clients ask of STS
 * (spec/fargate.md §1). Every answer, whatever goes wrong, is one of the protocol.
 */
import { randomUUID } from 'node:crypto';
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import { type FastifyReply, type FastifyRequest, fastify } from 'fastify';
import { clusterArn } from '../core/eks/arn.ts';
import { isRefusal, type Refusal, statusOf } from '../core/eks/errors.ts';
import type { SignedRequest } from '../core/eks/sigv4.ts';
import { ANONYMOUS, authenticate, type Principal } from './authenticate.ts';
import { clusterRoutes } from './clusters.ts';
import type { EksContext } from './context.ts';
import { entryRoutes } from './entries.ts';
import { refusalOf } from './failures.ts';
import { refuseAction, throttle } from './gate.ts';
import { bytesOf, parseBody, sendRefusal, signedRequest } from './http.ts';
import { describeApi } from './openapi.ts';
import { type ProfileServices, profileRoutes } from './profile-routes.ts';
import { parseTarget } from './sigv4.ts';
import { stsRoutes } from './sts.ts';
import { tagRoutes } from './tags.ts';
import { tokenRoutes } from './tokens.ts';
import { validatorCompiler } from './validate.ts';

/** What an instance of the server needs. */
export interface EksOptions {
  readonly context: EksContext;
  readonly services: ProfileServices;
  /** PEM; without it the server speaks plain HTTP, which is for addresses of the loopback only. */
  readonly tls?: { readonly certificate: string; readonly key: string };
  /** Lets requests without a signature through. The caller allows it for addresses of the loopback only. */
  readonly anonymous?: boolean;
}

/** Largest request in bytes: ten times the largest profile. */
const BODY_LIMIT = 256 * 1024;

/** How long a request may take to arrive, in milliseconds: nobody holds a connection by sending slowly. */
const ARRIVAL_LIMIT_MS = 30_000;

/** Longest part of a path, as IAM has ARNs of at most 2048 characters, each of which may be escaped. */
const LONGEST_PARAMETER = 3 * 2048;

/** Header by which callers name an answer, and the log finds it. */
const REQUEST_ID = 'x-amzn-requestid';

const UNREADABLE: Refusal = {
  type: 'SerializationException',
  message: 'The target of the request has a broken escape, or a path with empty, . or .. segments.',
};

/** Makes the server; the caller listens and closes. */
export const eksServer = async ({ context, services, tls, anonymous = false }: EksOptions) => {
  const server = fastify({
    ...(tls === undefined ? {} : { https: { cert: tls.certificate, key: tls.key } }),
    bodyLimit: BODY_LIMIT,
    requestTimeout: ARRIVAL_LIMIT_MS,
    forceCloseConnections: true,
    genReqId: () => randomUUID(),
    routerOptions: {
      querystringParser: (text) => ({ ...parseTarget(`/?${text}`)?.query }),
      maxParamLength: LONGEST_PARAMETER,
    },
    frameworkErrors: (error, request, reply) =>
      sendRefusal(reply.header(REQUEST_ID, request.id), refusalOf(error)),
    clientErrorHandler: (_error, socket) => {
      if (socket.writable) socket.end(MALFORMED);
    },
  })
    .withTypeProvider<TypeBoxTypeProvider>()
    .setValidatorCompiler(validatorCompiler);

  const limit = throttle(context.settings.rate);
  // The signature is over the bytes of the body, so they are kept as they are until it is verified.
  server.removeAllContentTypeParsers();
  server.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body));
  server.decorateRequest('principal', null);
  server.decorateRequest('audit', null as unknown as Record<string, unknown>);

  server.addHook('onRequest', async (request, reply) => {
    request.audit = {};
    reply.header(REQUEST_ID, request.id);
  });
  server.addHook('preValidation', async (request, reply) => {
    const action = request.is404 ? 'eks:UnknownOperation' : request.routeOptions.config.action;
    if (action === undefined) return undefined;
    const refusal = await admit(request, action);
    if (refusal !== undefined) return sendRefusal(reply, refusal);
    request.body = parseBody(request.body);
    return undefined;
  });
  server.addHook('onResponse', async (request, reply) => {
    context.log.info({ audit: auditOf(request, reply) }, 'call');
  });
  server.setErrorHandler((error, request, reply) => {
    const refusal = refusalOf(error);
    if (statusOf(refusal.type) >= 500)
      context.log.error({ err: error, requestId: request.id }, 'call failed');
    request.audit['error'] = refusal.type;
    return sendRefusal(reply, refusal);
  });
  server.setNotFoundHandler((request, reply) => {
    request.audit['error'] = 'UnknownOperationException';
    return sendRefusal(reply, {
      type: 'UnknownOperationException',
      message: `${request.method} ${request.url.split('?')[0]} is no operation of this service.`,
    });
  });

  /** Signature, then rate, then permission; undefined when the request may go on. */
  const admit = async (request: FastifyRequest, action: string): Promise<Refusal | undefined> => {
    request.audit['action'] = action;
    const refusal = await judge(request, action);
    if (refusal !== undefined) request.audit['error'] = refusal.type;
    return refusal;
  };

  const judge = async (request: FastifyRequest, action: string): Promise<Refusal | undefined> => {
    const signed = signedRequest(request);
    if (signed === undefined) return UNREADABLE;
    const principal = await principalOf(request, signed);
    if (isRefusal(principal)) return principal;
    request.principal = principal;
    const throttled = limit(principal.accessKeyId, principal.rate);
    if (throttled !== undefined) return throttled;
    const { name: cluster } = (request.params ?? {}) as { readonly name?: string };
    const resource = cluster === undefined ? '*' : clusterArn(context.account, cluster);
    return refuseAction(principal, action, cluster, resource);
  };

  const principalOf = async (
    request: FastifyRequest,
    signed: SignedRequest,
  ): Promise<Principal | Refusal> => {
    const claimed = await authenticate(signed, bytesOf(request.body), { service: 'eks' }, context);
    const unsigned = isRefusal(claimed) && claimed.type === 'MissingAuthenticationTokenException';
    return unsigned && anonymous ? ANONYMOUS : claimed;
  };

  await describeApi(server, context.cluster.name);
  profileRoutes(server, context, services);
  clusterRoutes(server, context);
  entryRoutes(server, context);
  tagRoutes(server, context, services);
  stsRoutes(server, context, limit);
  if (tls !== undefined) tokenRoutes(server, context);
  server.get('/healthz', async (_request, reply) => reply.type('text/plain').send('ok'));
  await server.ready();
  return server;
};

/** What Node.js cannot read as HTTP at all, or did not get in time. */
const MALFORMED_BODY = '{"message":"The request is no HTTP request, or took too long to arrive."}';
const MALFORMED = `HTTP/1.1 400 Bad Request\r\nx-amzn-errortype: SerializationException\r\ncontent-type: application/json\r\ncontent-length: ${MALFORMED_BODY.length}\r\nconnection: close\r\n\r\n${MALFORMED_BODY}`;

/** One line about every call: who asked for what, from where, and what came of it. Never secrets. */
const auditOf = (request: FastifyRequest, reply: FastifyReply) => {
  const { name: cluster, fargateProfileName: profile } = (request.params ?? {}) as Readonly<
    Record<string, string>
  >;
  return {
    requestId: request.id,
    source: request.ip,
    agent: request.headers['user-agent'],
    principal: request.principal?.arn,
    accessKeyId: request.principal?.accessKeyId,
    method: request.method,
    cluster,
    profile,
    status: reply.statusCode,
    ms: Math.round(reply.elapsedTime * 100) / 100,
    ...request.audit,
  };
};
