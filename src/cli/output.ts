/** How commands print. */

export type Format = 'text' | 'json';

/** @throws Error that lists the formats */
export const formatOf = (text: string): Format => {
  if (text === 'text' || text === 'json') return text;
  throw new Error(`no output format ${text}: write text or json`);
};

/** Lines under a heading, the first beside it: `heading   line`. */
export const field = (heading: string, ...lines: readonly string[]): string =>
  lines.map((line, i) => `  ${(i === 0 ? heading : '').padEnd(10)} ${line}\n`).join('');

/** Rows as a table, columns as wide as their longest cell. */
export const table = (rows: readonly (readonly string[])[]): string => {
  const widths = (rows[0] ?? []).map((_, column) =>
    Math.max(...rows.map((row) => (row[column] ?? '').length)),
  );
  const line = (row: readonly string[]): string =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('   ')
      .trimEnd();
  return rows.map((row) => `${line(row)}\n`).join('');
};

/** A vCPU or memory amount for people. */
export const amount = ({ milliCpu, memoryMiB }: { milliCpu: number; memoryMiB: number }): string =>
  `${milliCpu / 1000} vCPU and ${memoryMiB} MiB`;

/** Whoever reads the output may close it early, as `| head` does: that is no error. */
export const allowClosedReader = (stream: NodeJS.WritableStream): void => {
  stream.on('error', (cause: NodeJS.ErrnoException) => {
    if (cause.code !== 'EPIPE') throw cause;
  });
};
