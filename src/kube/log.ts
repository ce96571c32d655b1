import type { Logger } from 'pino';

/** Where this library reports: any pino logger. */
export type Log = Pick<Logger, 'debug' | 'info' | 'warn' | 'error'>;
