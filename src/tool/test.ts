/** `./tool test`: every suite, with what it needs around it, and one closing line. */
import { spawn } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { publishImage } from '../cluster/basics.ts';
import { stopCluster } from '../cluster/stop.ts';
import { type OnProgress, step } from '../host/progress.ts';
import { ROOT } from '../host/script.ts';
import { display, duration } from './progress.ts';
import { add, type Counts, closingLine, countsOf, failuresOf, type Outcome, type Report } from './report.ts';
import { leftRunFolders, makeRunFolder, removeRunFolder } from './run-folder.ts';
import { type ClusterFlags, locate } from './settings.ts';
import { bringUp, prepareComponents } from './up.ts';

/** A suite: where its files are, and what must be there before it runs. */
interface Suite {
  readonly name: string;
  readonly folder: string;
  /** `components`: the upstream programs; `cluster`: a running cluster with the product as well. */
  readonly needs: 'nothing' | 'components' | 'cluster';
  /** Files may run side by side. */
  readonly parallel: boolean;
  /** How long one test, and what precedes or follows tests, may take unless it says otherwise, in seconds. */
  readonly limitSeconds: number;
}

/** All suites in the order in which they run: what fails quickly comes first. */
const SUITES: readonly Suite[] = [
  { name: 'unit', folder: 'src', needs: 'nothing', parallel: true, limitSeconds: 30 },
  { name: 'cluster', folder: 'test/cluster', needs: 'components', parallel: false, limitSeconds: 90 },
  // Real packet filters around machines without guests.
  { name: 'network', folder: 'test/network', needs: 'components', parallel: false, limitSeconds: 60 },
  { name: 'aws', folder: 'test/aws', needs: 'components', parallel: false, limitSeconds: 120 },
  { name: 'vm', folder: 'test/vm', needs: 'cluster', parallel: false, limitSeconds: 180 },
  { name: 'chaos', folder: 'test/chaos', needs: 'cluster', parallel: false, limitSeconds: 300 },
];

/** Name of the cluster that tests run in, beside whatever else runs on the machine. */
const TEST_CLUSTER = 'clotest';

/** A word of the command line as a path: a folder of the source may be named by its last part alone. */
const asPath = (word: string): string =>
  !SUITES.some(({ name }) => name === word) && existsSync(join(ROOT, 'src', word)) ? `src/${word}` : word;

/**
 * Chooses suites by name, folders of the source, or single files by path.
 * @throws Error that lists the suites
 */
export const chooseSuites = (
  wanted: readonly string[],
): readonly (Suite & { readonly files: readonly string[] })[] => {
  const words = wanted.map(asPath);
  const isBelow = (word: string, { folder }: Suite): boolean =>
    word.startsWith(`${folder}/`) && existsSync(join(ROOT, word));
  const unknown = words.filter(
    (word) => !SUITES.some((suite) => word === suite.name || isBelow(word, suite)),
  );
  if (unknown.length > 0) {
    const names = SUITES.map(({ name }) => name).join(', ');
    throw new Error(`no suite ${unknown.join(', ')}: name one of ${names}, a folder of src, or a test file`);
  }
  return SUITES.map((suite) => ({
    ...suite,
    files: words.includes(suite.name) ? [] : words.filter((word) => isBelow(word, suite)),
  })).filter(({ name, files }) => wanted.length === 0 || words.includes(name) || files.length > 0);
};

const hasTests = ({ folder }: Suite): boolean =>
  existsSync(join(ROOT, folder)) &&
  readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' }).some((file) =>
    file.endsWith('.test.ts'),
  );

/** Runs vitest on one suite and counts. @param folder for temporary files */
const runSuite = async (
  suite: Suite & { readonly files: readonly string[] },
  environment: Readonly<Record<string, string>>,
  folder: string,
): Promise<Outcome> => {
  const output = join(folder, `${suite.name}.json`);
  const args = [
    join(ROOT, 'node_modules/vitest/vitest.mjs'),
    'run',
    ...(suite.files.length > 0 ? suite.files : [suite.folder]),
    '--reporter=default',
    '--reporter=json',
    `--outputFile.json=${output}`,
    `--testTimeout=${suite.limitSeconds * 1000}`,
    `--hookTimeout=${suite.limitSeconds * 1000}`,
    ...(suite.parallel ? [] : ['--no-file-parallelism']),
  ];
  const ended = await new Promise<boolean>((resolve, reject) => {
    const child = spawn(process.execPath, args, {
      cwd: ROOT,
      stdio: ['ignore', 'inherit', 'inherit'],
      env: { ...process.env, ...environment, TMPDIR: folder },
    });
    child.once('error', reject);
    child.once('exit', (code) => resolve(code === 0));
  });
  const report = existsSync(output) ? (JSON.parse(readFileSync(output, 'utf8')) as Report) : undefined;
  return { counts: countsOf(report, ended), failures: ended ? [] : failuresOf(report) };
};

/** Variables that tests read: where programs, kubectl and the cluster are. */
const surround = async (
  needs: Suite['needs'],
  flags: ClusterFlags,
  onProgress: OnProgress,
): Promise<Readonly<Record<string, string>>> => {
  if (needs === 'nothing') return {};
  const { cache, state } = locate(flags.name);
  const prepared = await prepareComponents(flags, cache, onProgress, true);
  if (needs === 'components') return programs(prepared, cache);
  const { cluster, components } = await bringUp(flags, onProgress);
  await step(onProgress, 'test images', () =>
    publishImage(state, cluster.registry, 'cloister/agnhost:1', {
      entries: [
        { type: 'directory', path: 'tmp', mode: 0o1777 },
        { type: 'copy', path: 'agnhost', from: join(components, 'agnhost') },
      ],
      run: { Entrypoint: ['/agnhost'] },
    }),
  );
  return {
    ...programs(components, cache),
    KUBECONFIG: cluster.kubeconfig,
    CLOISTER_CLUSTER: flags.name,
    CLOISTER_STATE: state,
  };
};

const programs = (components: string, cache: string): Readonly<Record<string, string>> => ({
  CLOISTER_COMPONENTS: components,
  CLOISTER_TEST_CACHE: cache,
});

/**
 * The command: runs suites, prints a table of them and the closing line, and sets the exit code. A cluster
 * that it starts is taken down again, unless `keep`.
 */
export const test = async (
  wanted: readonly string[],
  flags: Pick<ClusterFlags, 'components' | 'kubernetesVersion'> & { readonly keep: boolean },
): Promise<void> => {
  const chosen = chooseSuites(wanted).filter(hasTests);
  const cluster: ClusterFlags = { ...flags, name: TEST_CLUSTER, nodes: true, egress: true };
  let total: Counts = { passed: 0, failed: 0, skipped: 0 };
  const lines: string[] = [];
  const failed: string[] = [];
  for (const folder of leftRunFolders()) await removeRunFolder(folder);
  const folder = makeRunFolder();
  try {
    for (const suite of chosen) {
      const started = performance.now();
      const { counts, failures } = await runSurrounded(suite, cluster, folder);
      total = add(total, counts);
      failed.push(...failures);
      lines.push(
        `${suite.name.padEnd(10)} ${duration(performance.now() - started).padStart(12)}   ${closingLine(counts)}`,
      );
    }
  } finally {
    const started = chosen.some(({ needs }) => needs === 'cluster');
    if (started && !flags.keep) await stopCluster(locate(TEST_CLUSTER));
    await removeRunFolder(folder);
  }
  if (total.passed + total.failed === 0) total = { ...total, failed: 1 };
  const named = failed.map((text) => `failed: ${text}\n`).join('');
  process.stdout.write(`\n${named}${lines.join('\n')}\n${closingLine(total)}\n`);
  process.exitCode = total.failed === 0 ? 0 : 1;
};

/** A suite whose surroundings cannot be made counts as failed, with the reason; the others still run. */
const runSurrounded = async (
  suite: Suite & { readonly files: readonly string[] },
  cluster: ClusterFlags,
  folder: string,
): Promise<Outcome> => {
  process.stdout.write(`\n== ${suite.name}\n`);
  const shown = display(process.stdout);
  try {
    const environment = await surround(suite.needs, cluster, shown.onProgress);
    shown.stop();
    return await runSuite(suite, environment, folder);
  } catch (cause) {
    const what = `${suite.name}: ${(cause as Error).message}`;
    process.stdout.write(`${what}\n`);
    return { counts: { passed: 0, failed: 1, skipped: 0 }, failures: [what] };
  } finally {
    shown.stop();
  }
};
