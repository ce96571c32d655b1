/**
 * What clients ask of STS: who they are, and credentials for a service account's token. AWS query protocol,
 * version 2011-06-15: parameters of a form or of the query, answers in XML.
 */
import type { FastifyReply, FastifyRequest } from 'fastify';
import { isRefusal, type Refusal, statusOf } from '../core/eks/errors.ts';
import { authenticate, type Principal } from './authenticate.ts';
import type { EksContext } from './context.ts';
import { refusalOf } from './failures.ts';
import type { throttle } from './gate.ts';
import { bytesOf, signedRequest } from './http.ts';
import type { EksInstance } from './instance.ts';
import { parseTarget } from './sigv4.ts';
import { assumeRole, type StsFailure } from './web-identity.ts';
import { type Content, xml } from './xml.ts';

const NAMESPACE = 'https://sts.amazonaws.com/doc/2011-06-15/';
const VERSION = '2011-06-15';

/** Codes of STS for errors that EKS names otherwise. */
const CODES: Partial<Record<Refusal['type'], string>> = {
  InvalidSignatureException: 'SignatureDoesNotMatch',
  UnrecognizedClientException: 'InvalidClientTokenId',
  MissingAuthenticationTokenException: 'MissingAuthenticationToken',
  IncompleteSignatureException: 'IncompleteSignature',
  ExpiredTokenException: 'ExpiredToken',
  AccessDeniedException: 'AccessDenied',
  ThrottlingException: 'Throttling',
  ServerException: 'InternalFailure',
  ServiceUnavailableException: 'ServiceUnavailable',
  SerializationException: 'MalformedQueryString',
};

const failureOf = (refusal: Refusal): StsFailure => ({
  status: statusOf(refusal.type),
  code: CODES[refusal.type] ?? refusal.type,
  message: refusal.message,
});

/** Parameters by name, the last one of each counting; undefined when they cannot be read. */
const parametersOf = (request: FastifyRequest): ReadonlyMap<string, string> | undefined => {
  const form = bytesOf(request.body).toString('utf8');
  const target = parseTarget(request.raw.url ?? '/');
  if (target === undefined) return undefined;
  const fromQuery = Object.entries(target.query).map(([name, values]): [string, string] => [
    name,
    values.at(-1) ?? '',
  ]);
  return new Map([...fromQuery, ...new URLSearchParams(form)]);
};

const sendXml = (reply: FastifyReply, status: number, document: string): FastifyReply =>
  reply.code(status).type('text/xml').send(document);

const sendFailure = (reply: FastifyReply, { status, code, message }: StsFailure): FastifyReply => {
  reply.request.audit['error'] = code;
  const error = { Type: status < 500 ? 'Sender' : 'Receiver', Code: code, Message: message };
  return sendXml(
    reply,
    status,
    xml('ErrorResponse', NAMESPACE, { Error: error, RequestId: reply.request.id }),
  );
};

const sendResult = (reply: FastifyReply, action: string, result: Content): FastifyReply =>
  sendXml(
    reply,
    200,
    xml(`${action}Response`, NAMESPACE, {
      [`${action}Result`]: result,
      ResponseMetadata: { RequestId: reply.request.id },
    }),
  );

/** What GetCallerIdentity says of a principal. */
export const identityOf = ({ arn, userId }: Principal, account: string): Content => ({
  Arn: arn,
  UserId: userId,
  Account: account,
});

export const stsRoutes = (
  server: EksInstance,
  context: EksContext,
  limit: ReturnType<typeof throttle>,
): void => {
  const act = async (request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> => {
    const parameters = parametersOf(request);
    const action = parameters?.get('Action') ?? '';
    request.audit['action'] = `sts:${/^\w{1,64}$/.test(action) ? action : 'Unknown'}`;
    if (parameters === undefined || (parameters.get('Version') ?? VERSION) !== VERSION)
      return sendFailure(reply, {
        status: 400,
        code: 'MalformedQueryString',
        message: `The request must be readable and of version ${VERSION}.`,
      });
    if (action === 'AssumeRoleWithWebIdentity') return byToken(request, reply, parameters);
    const principal = await caller(request);
    if (isRefusal(principal)) return sendFailure(reply, failureOf(principal));
    if (action === 'GetCallerIdentity')
      return sendResult(reply, action, identityOf(principal, context.account.account));
    return sendFailure(reply, {
      status: 400,
      code: 'InvalidAction',
      message: `Could not find operation ${action.slice(0, 64)} for version ${VERSION}`,
    });
  };

  const caller = async (request: FastifyRequest): Promise<Principal | Refusal> => {
    const signed = signedRequest(request);
    if (signed === undefined)
      return { type: 'SerializationException', message: 'The target cannot be read.' };
    const principal = await authenticate(signed, bytesOf(request.body), { service: 'sts' }, context);
    if (isRefusal(principal)) return principal;
    request.principal = principal;
    return limit(principal.accessKeyId, principal.rate) ?? principal;
  };

  /** Nobody signs this one: the token says who asks. Callers are told apart by their address. */
  const byToken = async (
    request: FastifyRequest,
    reply: FastifyReply,
    parameters: ReadonlyMap<string, string>,
  ): Promise<FastifyReply> => {
    const throttled = limit(request.ip);
    if (throttled !== undefined) return sendFailure(reply, failureOf(throttled));
    const outcome = await assumeRole(parameters, context);
    if ('code' in outcome) return sendFailure(reply, outcome);
    request.audit['subject'] = outcome.subject;
    return sendResult(reply, 'AssumeRoleWithWebIdentity', outcome.result);
  };

  server.route({
    method: ['GET', 'POST'],
    url: '/',
    handler: act,
    errorHandler: (error, request, reply) => {
      const refusal = refusalOf(error);
      if (statusOf(refusal.type) >= 500)
        context.log.error({ err: error, requestId: request.id }, 'call failed');
      return sendFailure(reply, failureOf(refusal));
    },
  });
};
