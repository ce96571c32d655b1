/** Where Cloister keeps things on this host, after the XDG Base Directory Specification 0.8. */
import { homedir } from 'node:os';
import { join } from 'node:path';

/** Folder of everything that can be made again: built components, guest images. Never removed by `down`. */
export const cacheFolder = (environment: NodeJS.ProcessEnv = process.env): string =>
  join(environment['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'cloister');

/** Folder of one cluster's data: keys, logs, process records, etcd's files, machines. Removed by `down`. */
export const stateFolder = (name: string, environment: NodeJS.ProcessEnv = process.env): string =>
  join(environment['XDG_STATE_HOME'] || join(homedir(), '.local', 'state'), 'cloister', name);
