/** `./tool check`: types, lint with import directions, format, unused code, links of documents, generated files. */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { ROOT } from '../host/script.ts';
import { duration } from './progress.ts';

/** One check: a program of node_modules, or a function that gives complaints. */
interface Check {
  readonly name: string;
  readonly run: () => Promise<string>;
}

/** Runs a program of node_modules/.bin. Gives what it printed when it complained, nothing when all is well. */
const program = async (name: string, args: readonly string[]): Promise<string> =>
  new Promise((resolve, reject) => {
    const child = spawn(join(ROOT, 'node_modules/.bin', name), args, {
      cwd: ROOT,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        output += text;
      });
    }
    child.once('error', reject);
    child.once('close', (code) => resolve(code === 0 ? '' : output || `${name} ended with code ${code}`));
  });

const CHECKS: readonly Check[] = [
  { name: 'types', run: () => program('tsc', ['--noEmit']) },
  // Import directions are `no-restricted-imports` overrides in .oxlintrc.json.
  { name: 'lint', run: () => program('oxlint', ['--type-aware', '--deny-warnings', 'src', 'test']) },
  { name: 'format', run: () => program('biome', ['check', '--error-on-warnings', '.']) },
  { name: 'unused code', run: () => program('knip', ['--no-progress']) },
  { name: 'code that only tests use', run: () => program('knip', ['--no-progress', '--production']) },
  {
    name: 'links',
    run: async () => {
      const { brokenLinks } = await import('./links.ts');
      return brokenLinks(ROOT)
        .map((line) => `${line}\n`)
        .join('');
    },
  },
  {
    name: 'generated files',
    run: async () => {
      const { staleFiles } = await import('./gen.ts');
      const stale = await staleFiles();
      return stale.length === 0 ? '' : `${stale.join(', ')}: out of date, run \`./tool gen\`\n`;
    },
  },
];

/** The command: runs all checks, prints complaints, and sets the exit code. */
export const check = async (): Promise<void> => {
  let bad = 0;
  for (const { name, run } of CHECKS) {
    const started = performance.now();
    const complaint = await run();
    if (complaint !== '') bad += 1;
    process.stdout.write(
      `${complaint === '' ? 'good' : 'BAD '} ${name}, ${duration(performance.now() - started)}\n${complaint}`,
    );
  }
  process.exitCode = bad === 0 ? 0 : 1;
};
