/** Reading kubeconfig files, as kubectl writes them. */
import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { CORE_SCHEMA, load } from 'js-yaml';
import { isObject, type JsonObject } from '../core/json.ts';
import type { KubeConfig } from './credentials.ts';
import type { ExecPlugin } from './exec-plugin.ts';

/** Ways of a kubeconfig to authenticate or connect that this client does not have. */
const UNSUPPORTED = {
  cluster: ['insecure-skip-tls-verify', 'proxy-url'],
  user: ['auth-provider', 'username', 'password', 'as'],
} as const;

/**
 * The server and identity of a kubeconfig file's current context. Paths in it are relative to its folder.
 * @throws Error naming the file and what is wrong in it
 */
export const loadKubeconfig = (path: string): KubeConfig => {
  try {
    return configOf(load(readFileSync(path, 'utf8'), { schema: CORE_SCHEMA }), dirname(path));
  } catch (cause) {
    throw new Error(`kubeconfig ${path}: ${cause instanceof Error ? cause.message : cause}`, { cause });
  }
};

const configOf = (document: unknown, folder: string): KubeConfig => {
  const file = fieldsOf(document, 'the file');
  const context = entry(file, 'context', text(file, 'current-context') ?? '');
  const cluster = entry(file, 'cluster', text(context, 'cluster') ?? '');
  const user = entry(file, 'user', text(context, 'user') ?? '');
  refuse(cluster, 'cluster');
  refuse(user, 'user');
  const server = text(cluster, 'server');
  if (server === undefined || !URL.canParse(server)) throw new Error('the cluster has no valid `server` URL');
  const tokenFile = text(user, 'tokenFile');
  return withoutUndefined({
    server,
    serverName: text(cluster, 'tls-server-name'),
    ca: pem(cluster, 'certificate-authority', folder),
    certificate: pem(user, 'client-certificate', folder),
    key: pem(user, 'client-key', folder),
    token: text(user, 'token'),
    tokenFile: tokenFile === undefined ? undefined : resolve(folder, tokenFile),
    exec: user['exec'] == null ? undefined : plugin(fieldsOf(user['exec'], '`exec`'), folder),
  });
};

/** A command with a slash is relative to the kubeconfig's folder, as in kubectl; any other is on the PATH. */
const plugin = (fields: JsonObject, folder: string): ExecPlugin => {
  const command = text(fields, 'command');
  if (command === undefined) throw new Error('`exec` names no command');
  const { args, env } = fields;
  return {
    apiVersion: text(fields, 'apiVersion') ?? 'client.authentication.k8s.io/v1',
    command: command.includes('/') ? resolve(folder, command) : command,
    args: Array.isArray(args) ? args.map(String) : [],
    env: Object.fromEntries((Array.isArray(env) ? env : []).map(({ name, value }) => [name, String(value)])),
  };
};

/** What the list of contexts, clusters or users has under a name. */
const entry = (file: JsonObject, what: 'context' | 'cluster' | 'user', name: string): JsonObject => {
  const list = file[`${what}s`];
  const found = Array.isArray(list) ? list.find((item) => item?.name === name) : undefined;
  if (found === undefined) throw new Error(`there is no ${what} named "${name}"`);
  return fieldsOf(found[what], `${what} "${name}"`);
};

/** Inline data, which wins as in kubectl, or the file named. */
const pem = (fields: JsonObject, name: string, folder: string): string | undefined => {
  const inline = text(fields, `${name}-data`);
  if (inline !== undefined) return Buffer.from(inline, 'base64').toString('utf8');
  const file = text(fields, name);
  return file === undefined ? undefined : readFileSync(resolve(folder, file), 'utf8');
};

const refuse = (fields: JsonObject, what: keyof typeof UNSUPPORTED): void => {
  const unsupported = UNSUPPORTED[what].find((name) => fields[name] !== undefined && fields[name] !== false);
  if (unsupported === undefined) return;
  throw new Error(`\`${unsupported}\` of the ${what} is not supported; use certificates or a token`);
};

const text = (fields: JsonObject, name: string): string | undefined => {
  const value = fields[name];
  if (value === undefined || value === null || value === '') return undefined;
  if (typeof value !== 'string') throw new Error(`\`${name}\` is not a text`);
  return value;
};

const fieldsOf = (value: unknown, what: string): JsonObject => {
  if (!isObject(value)) throw new Error(`${what} has no fields`);
  return value;
};

const withoutUndefined = (config: { [K in keyof KubeConfig]: KubeConfig[K] | undefined }): KubeConfig =>
  Object.fromEntries(
    Object.entries(config).filter(([, value]) => value !== undefined),
  ) as unknown as KubeConfig;
