/** A client of the QEMU Machine Protocol (QEMU doc interop/qmp-spec) for the few commands that are used. */
import type { Socket } from 'node:net';
import { createInterface } from 'node:readline';

/** Commands, their arguments and answers. */
interface Commands {
  qmp_capabilities: { arguments: Record<string, never>; return: Record<string, never> };
  'query-status': {
    arguments: Record<string, never>;
    return: { readonly running: boolean; readonly status: string };
  };
  system_powerdown: { arguments: Record<string, never>; return: Record<string, never> };
  stop: { arguments: Record<string, never>; return: Record<string, never> };
  cont: { arguments: Record<string, never>; return: Record<string, never> };
  quit: { arguments: Record<string, never>; return: Record<string, never> };
}

/** QEMU refused a command; `kind` is the protocol's error class. */
export class QmpError extends Error {
  readonly kind: string;
  constructor(kind: string, message: string) {
    super(message);
    this.name = 'QmpError';
    this.kind = kind;
  }
}

interface Answer {
  readonly id?: number;
  readonly return?: unknown;
  readonly error?: { readonly class: string; readonly desc: string };
}

/** An open monitor. */
export interface Qmp {
  /** @throws QmpError when QEMU refuses, Error when it hangs up or does not answer within `limitMs` */
  run<Name extends keyof Commands>(
    name: Name,
    args?: Commands[Name]['arguments'],
    limitMs?: number,
  ): Promise<Commands[Name]['return']>;
  close(): void;
}

/** Speaks QMP on a connected socket: leaves negotiation mode, then runs commands one at a time or together. */
export const openQmp = async (socket: Socket): Promise<Qmp> => {
  const waiting = new Map<number, { resolve: (value: unknown) => void; reject: (cause: Error) => void }>();
  let last = 0;
  let ended: Error | undefined;
  const fail = (cause: Error): void => {
    ended ??= cause;
    for (const { reject } of waiting.values()) reject(cause);
    waiting.clear();
  };
  socket.on('error', fail).on('close', () => fail(new Error('QEMU closed its monitor')));
  const lines = createInterface({ input: socket });
  lines.on('error', fail); // readline passes on what its input emits
  lines.on('line', (line) => {
    const answer = JSON.parse(line) as Answer; // the greeting and events carry no id
    const caller = answer.id === undefined ? undefined : waiting.get(answer.id);
    if (caller === undefined) return;
    waiting.delete(answer.id as number);
    if (answer.error === undefined) caller.resolve(answer.return);
    else caller.reject(new QmpError(answer.error.class, answer.error.desc));
  });
  const qmp: Qmp = {
    run: (name, args, limitMs = 10_000) =>
      new Promise((resolve, reject) => {
        if (ended !== undefined) return reject(ended);
        const id = ++last;
        const timer = setTimeout(() => {
          waiting.delete(id);
          reject(new Error(`QEMU did not answer ${name} within ${limitMs / 1000} s`));
        }, limitMs);
        const settle =
          <T>(end: (value: T) => void) =>
          (value: T): void => {
            clearTimeout(timer);
            end(value);
          };
        waiting.set(id, { resolve: settle(resolve as (value: unknown) => void), reject: settle(reject) });
        socket.write(`${JSON.stringify({ execute: name, arguments: args ?? {}, id })}\n`);
      }),
    close: () => socket.destroy(),
  };
  await qmp.run('qmp_capabilities');
  return qmp;
};
