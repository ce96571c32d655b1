/** Telling people what is going on: named steps with notes and elapsed time, shown by whoever listens. */

/** One thing worth showing. Steps may overlap; `step` names tell them apart. */
export type ProgressEvent =
  | { readonly kind: 'start'; readonly step: string }
  /** What a long step does just now, for example the package being compiled. */
  | { readonly kind: 'note'; readonly step: string; readonly text: string }
  | { readonly kind: 'end'; readonly step: string; readonly ms: number; readonly failed: boolean };

/** Receives progress; must not throw. */
export type OnProgress = (event: ProgressEvent) => void;

/** For callers that nobody watches. */
export const silent: OnProgress = () => {};

/**
 * Runs one named step and reports its start, notes and end; errors pass through unchanged.
 * @param run receives a function that shows what the step does just now
 */
export const step = async <T>(
  onProgress: OnProgress,
  name: string,
  run: (note: (text: string) => void) => Promise<T>,
): Promise<T> => {
  const started = performance.now();
  const end = (failed: boolean): void =>
    onProgress({ kind: 'end', step: name, ms: performance.now() - started, failed });
  onProgress({ kind: 'start', step: name });
  try {
    const result = await run((text) => onProgress({ kind: 'note', step: name, text }));
    end(false);
    return result;
  } catch (error) {
    end(true);
    throw error;
  }
};
