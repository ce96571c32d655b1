/** Errors that happen on the way, in the terms of the API. Their inner texts go to the log, not to the caller. */
import type { Refusal } from '../core/eks/errors.ts';
import { ApiError, ConnectionError, isRefusal } from '../kube/client.ts';
import { RefusedError } from './http.ts';
import { BusyError } from './turn.ts';

const refuse = (type: Refusal['type'], message: string): Refusal => ({ type, message });

const ofApiServer = (error: ApiError): Refusal => {
  const { status, message } = error;
  if (status === 409) return refuse('ResourceInUseException', 'The resource was changed by another request.');
  if (status === 429 || status >= 500)
    return refuse('ServiceUnavailableException', 'The cluster does not answer now. Try again later.');
  // A rule of the cluster's own, such as an admission policy: its text is for the caller.
  if (isRefusal(error)) return refuse('InvalidRequestException', message);
  return unexpected();
};

const unexpected = (): Refusal =>
  refuse('ServerException', 'The service has met an unexpected error; its log tells more by the request id.');

/** The refusal that an error amounts to. */
export const refusalOf = (error: unknown): Refusal => {
  if (error instanceof RefusedError) return error.refusal;
  if (error instanceof ApiError) return ofApiServer(error);
  if (error instanceof ConnectionError || error instanceof BusyError)
    return refuse('ServiceUnavailableException', 'The cluster does not answer now. Try again later.');
  if (!(error instanceof Error)) return unexpected();
  const { statusCode = 500 } = error as { readonly statusCode?: number };
  if (statusCode === 413) return refuse('RequestEntityTooLargeException', 'The request is too large.');
  if (statusCode < 500) return refuse('SerializationException', error.message);
  return unexpected();
};
