/** Showing progress to people: one line per step with its time; on a terminal the running steps move. */
import type { OnProgress, ProgressEvent } from '../host/progress.ts';

/** A step that runs. */
interface Running {
  readonly started: number;
  note: string;
  /** When something was last said about it, for plain output. */
  said: number;
}

/** `4.2 s`, `1 min 07 s`. */
export const duration = (ms: number): string => {
  const seconds = ms / 1000;
  if (seconds < 59.95) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  return `${Math.floor(whole / 60)} min ${String(whole % 60).padStart(2, '0')} s`;
};

/** Without a terminal, how often a long step says what it is doing. */
const SAY_EVERY_MS = 10_000;
const REDRAW_MS = 200;

/** Progress as it is shown; `stop` must be called before anything else is printed on the terminal. */
export interface Display {
  readonly onProgress: OnProgress;
  stop(): void;
}

/** Brings what is known of running steps up to date. */
const follow = (running: Map<string, Running>, event: ProgressEvent, now: number): void => {
  if (event.kind === 'start') running.set(event.step, { started: now, note: '', said: now });
  else if (event.kind === 'note') Object.assign(running.get(event.step) ?? {}, { note: event.text });
  else running.delete(event.step);
};

/** Output as lines only: for logs. */
const plain = (write: (text: string) => void, now: () => number): Display => {
  const running = new Map<string, Running>();
  const timer = setInterval(() => {
    for (const [name, step] of running) {
      if (now() - step.said < SAY_EVERY_MS) continue;
      step.said = now();
      write(`  ... ${name}, ${duration(now() - step.started)}${step.note && `: ${step.note}`}\n`);
    }
  }, 1_000).unref();
  return {
    onProgress: (event) => {
      follow(running, event, now());
      if (event.kind === 'end')
        write(`${event.failed ? 'FAILED' : 'done  '} ${event.step}, ${duration(event.ms)}\n`);
    },
    stop: () => clearInterval(timer),
  };
};

/** Output for a terminal: finished steps stay, one line below shows what runs. */
const lively = (write: (text: string) => void, columns: () => number, now: () => number): Display => {
  const running = new Map<string, Running>();
  const clear = '\r\u001b[2K';
  const draw = (): void => {
    const text = [...running]
      .map(([name, step]) => `${name} ${duration(now() - step.started)}${step.note && ` (${step.note})`}`)
      .join(' · ');
    write(`${clear}${text.slice(0, columns() - 1)}`);
  };
  const timer = setInterval(draw, REDRAW_MS).unref();
  return {
    onProgress: (event) => {
      follow(running, event, now());
      if (event.kind === 'end')
        write(
          `${clear}${event.failed ? '\u001b[31m✗\u001b[0m' : '\u001b[32m✓\u001b[0m'} ${event.step} ${duration(event.ms)}\n`,
        );
      draw();
    },
    stop: () => {
      clearInterval(timer);
      write(clear);
    },
  };
};

/** The display for a stream: moving on a terminal, plain lines elsewhere and under CI. */
export const display = (stream: NodeJS.WriteStream = process.stderr): Display => {
  const write = (text: string): void => void stream.write(text);
  const now = (): number => performance.now();
  return stream.isTTY && !process.env['CI']
    ? lively(write, () => stream.columns ?? 80, now)
    : plain(write, now);
};
