/**
 * What a pod execution role lets nodes pull with (spec/fargate.md §1.8): Secrets of the type that `kubectl create
 * secret docker-registry` makes, which name the role in an annotation.
 */

/** Annotation with the ARN of the role that a Secret is for; service accounts name theirs by it, too. */
export const ROLE_ANNOTATION = 'eks.amazonaws.com/role-arn';
/** Annotation with the base URL of the registry, where that is not https under its own name. */
const ENDPOINT_ANNOTATION = 'cloister.dev/registry-endpoint';
/** Type of such Secrets, and the entry that holds the document. */
export const PULL_SECRET_TYPE = 'kubernetes.io/dockerconfigjson';
const ENTRY = '.dockerconfigjson';

/** Name and password for the images of one registry. */
export interface ImageCredential {
  /** As images name it, `registry.example:5000`. */
  readonly host: string;
  readonly username: string;
  readonly password: string;
  readonly endpoint?: string;
}

/** What is read of a Secret; values are in base64. */
export interface PullSecret {
  readonly metadata: { readonly annotations?: Readonly<Record<string, string>> };
  readonly data?: Readonly<Record<string, string>>;
}

interface Account {
  readonly username?: string;
  readonly password?: string;
  /** `username:password` in base64. */
  readonly auth?: string;
}

const decoded = (base64: string): string => Buffer.from(base64, 'base64').toString('utf8');

/** The registry as images name it: servers are also written as URLs, Docker Hub's in one particular form. */
const hostOf = (server: string): string => {
  const host = server.replace(/^https?:\/\//, '').replace(/\/.*$/, '');
  return host === 'index.docker.io' ? 'docker.io' : host;
};

const accountOf = ({ username, password, auth }: Account): readonly [string, string] => {
  if (username !== undefined && password !== undefined) return [username, password];
  const [name = '', ...rest] = decoded(auth ?? '').split(':');
  return [name, rest.join(':')];
};

/** What the Secrets give to nodes of that role. */
export const credentialsOf = (role: string, secrets: readonly PullSecret[]): readonly ImageCredential[] =>
  secrets
    .filter(({ metadata }) => metadata.annotations?.[ROLE_ANNOTATION] === role)
    .flatMap(({ metadata, data }) => {
      const endpoint = metadata.annotations?.[ENDPOINT_ANNOTATION];
      const { auths = {} } = JSON.parse(decoded(data?.[ENTRY] ?? '') || '{}') as {
        readonly auths?: Readonly<Record<string, Account>>;
      };
      return Object.entries(auths).map(([server, account]) => {
        const [username, password] = accountOf(account);
        return { host: hostOf(server), username, password, ...(endpoint === undefined ? {} : { endpoint }) };
      });
    });
