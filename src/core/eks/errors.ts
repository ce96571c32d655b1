/** The error types of the EKS API: status codes and members, in one table (spec/fargate.md §1.2). */

/** Status and members besides `message` of each type, as the API model lists them. */
const ERRORS = {
  InvalidParameterException: [
    400,
    ['clusterName', 'nodegroupName', 'fargateProfileName', 'addonName', 'subscriptionId'],
  ],
  InvalidRequestException: [400, ['clusterName', 'nodegroupName', 'addonName', 'subscriptionId']],
  ClientException: [400, ['clusterName', 'nodegroupName', 'addonName', 'subscriptionId']],
  ResourceLimitExceededException: [400, ['clusterName', 'nodegroupName', 'subscriptionId']],
  UnsupportedAvailabilityZoneException: [400, ['clusterName', 'nodegroupName', 'validZones']],
  BadRequestException: [400, []],
  /** Of the protocol, not of the service: a body that is no JSON or has members of the wrong type. */
  SerializationException: [400, []],
  IncompleteSignatureException: [400, []],
  AccessDeniedException: [403, []],
  MissingAuthenticationTokenException: [403, []],
  UnrecognizedClientException: [403, []],
  InvalidSignatureException: [403, []],
  ExpiredTokenException: [403, []],
  ResourceNotFoundException: [
    404,
    ['clusterName', 'nodegroupName', 'fargateProfileName', 'addonName', 'subscriptionId'],
  ],
  NotFoundException: [404, []],
  UnknownOperationException: [404, []],
  ResourceInUseException: [409, ['clusterName', 'nodegroupName', 'addonName']],
  RequestEntityTooLargeException: [413, []],
  ThrottlingException: [429, ['clusterName']],
  ServerException: [500, ['clusterName', 'nodegroupName', 'addonName', 'subscriptionId']],
  ServiceUnavailableException: [503, []],
} as const satisfies Record<string, readonly [number, readonly string[]]>;

/** An error type of the API. */
export type ErrorType = keyof typeof ERRORS;

/** All error types, for descriptions of the API. */
export const ERROR_TYPES = Object.keys(ERRORS) as readonly ErrorType[];

/** What an error is about. Members that its type does not have are left out of the answer. */
export interface ErrorMembers {
  readonly clusterName?: string;
  readonly fargateProfileName?: string;
  readonly validZones?: readonly string[];
}

/** A request that is refused, in the terms of the API. */
export interface Refusal {
  readonly type: ErrorType;
  readonly message: string;
  readonly members?: ErrorMembers;
}

/** HTTP status of an error type. */
export const statusOf = (type: ErrorType): number => ERRORS[type][0];

/** Names of the members that an error type has besides `message`. */
export const membersOf = (type: ErrorType): readonly string[] => ERRORS[type][1];

/** The body of the answer: every member of the type, null where it is not set, and the message. */
export const errorBody = ({ type, message, members = {} }: Refusal): Readonly<Record<string, unknown>> => {
  const given = members as Readonly<Record<string, unknown>>;
  return { ...Object.fromEntries(membersOf(type).map((name) => [name, given[name] ?? null])), message };
};

/** Whether an outcome is a refusal; no answer of the API has a member `type`. */
export const isRefusal = <T extends object>(outcome: T | Refusal): outcome is Refusal => 'type' in outcome;
