/**
 * The real upstream programs that a cluster consists of, built from pinned Go modules, once per machine.
 * Each component is built alone into a folder named by the hash of its inputs, and appears there by one
 * rename: a build that fails or is interrupted leaves the finished components, and Go's own cache keeps the
 * compiled packages of the unfinished one.
 */
import {
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statfsSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { ExecError, exec } from '../host/exec.ts';
import { type OnProgress, step } from '../host/progress.ts';
import { findGo, type Go } from './go.ts';
import { buildArguments, pinnedVersion, type Recipe, recipes, resultName } from './recipes.ts';

const UPSTREAM = fileURLToPath(new URL('../../upstream', import.meta.url));

/** Where components come from. */
export interface ComponentsOptions {
  /** A Kubernetes minor that `upstream/` pins, such as `1.36`. */
  readonly kubernetesVersion: string;
  /** Cloister's cache folder. */
  readonly cache: string;
  readonly onProgress: OnProgress;
}

/** The Kubernetes minors that this checkout can build, newest first. */
export const servedMinors = (): readonly string[] =>
  readdirSync(UPSTREAM)
    .filter((folder) => folder.startsWith('kubernetes-'))
    .map((folder) => folder.slice('kubernetes-'.length))
    .sort((a, b) => Number(b.split('.')[1]) - Number(a.split('.')[1]));

/** @throws Error when the minor is not one that this checkout pins */
export const requireServed = (minor: string): void => {
  if (servedMinors().includes(minor)) return;
  throw new Error(`Kubernetes ${minor} is not served here: choose one of ${servedMinors().join(', ')}`);
};

interface Pinned {
  readonly recipe: Recipe;
  readonly source: string;
  readonly version: string;
  readonly result: string;
}

const pin = (recipe: Recipe, cache: string): Pinned => {
  const source = join(UPSTREAM, recipe.folder);
  const goMod = readFileSync(join(source, 'go.mod'), 'utf8');
  const goSum = readFileSync(join(source, 'go.sum'), 'utf8');
  const result = join(cache, 'components', resultName(recipe, goMod, goSum));
  return { recipe, source, version: pinnedVersion(goMod, recipe.module), result };
};

/** Versions of the pinned components by folder below `upstream/`. */
export const componentVersions = (minor: string): Readonly<Record<string, string>> =>
  Object.fromEntries(recipes(minor).map((recipe) => [recipe.folder, pin(recipe, '').version]));

/** Files that a components folder must hold; `cni/…` ones below a folder of that name. */
const componentFiles = (minor: string): readonly string[] =>
  recipes(minor).flatMap((recipe) => recipe.programs.map((program) => program.file));

/**
 * Checks a folder of prebuilt components and gives it back.
 * @throws Error that names every missing program
 */
export const useComponents = (folder: string, minor: string): string => {
  const missing = componentFiles(minor).filter((file) => !existsSync(join(folder, file)));
  if (missing.length === 0) return folder;
  throw new Error(
    `the components folder ${folder} lacks ${missing.join(', ')}: build them there, or leave --components out`,
  );
};

/**
 * Builds what is missing and gives the folder that holds all programs.
 * @throws Error when Go, disk space or the network is missing, or a build fails; repeating goes on from there
 */
export const buildComponents = async (options: ComponentsOptions): Promise<string> => {
  requireServed(options.kubernetesVersion);
  const pinned = recipes(options.kubernetesVersion).map((recipe) => pin(recipe, options.cache));
  const missing = pinned.filter(({ result }) => !existsSync(result));
  if (missing.length > 0) {
    const go = await findGo();
    await requireSpace(go, options.cache, missing);
    for (const component of missing) await build(go, component, options);
  }
  return assemble(pinned, options.cache);
};

const GIB = 2 ** 30;

/** Go's caches and ours may lie on different file systems: each must have the room. */
const requireSpace = async (go: Go, cache: string, missing: readonly Pinned[]): Promise<void> => {
  const needed = Math.ceil(missing.reduce((sum, { recipe }) => sum + recipe.diskGiB, 0));
  mkdirSync(cache, { recursive: true });
  const folders = (await exec(go.program, ['env', 'GOCACHE', 'GOMODCACHE'])).trim().split('\n');
  for (const folder of [cache, ...folders]) {
    let existing = folder;
    while (!existsSync(existing)) existing = dirname(existing);
    const { bavail, bsize } = statfsSync(existing);
    const free = (bavail * bsize) / GIB;
    if (free >= needed) continue;
    throw new Error(
      `building ${missing.map(({ recipe }) => recipe.folder).join(', ')} needs ${needed} GiB free at ${folder}, ` +
        `there are ${free.toFixed(1)} GiB: make room, or name prebuilt components with --components DIR`,
    );
  }
};

const build = async (go: Go, pinned: Pinned, options: ComponentsOptions): Promise<void> => {
  const { recipe, source, version, result } = pinned;
  const name = recipe.folder.startsWith('kubernetes') ? 'kubernetes' : recipe.folder;
  await step(options.onProgress, `build ${name} ${version}`, async (note) => {
    const env = { ...go.env, CGO_ENABLED: recipe.cgo ? '1' : '0', GOFLAGS: '', GOWORK: 'off' };
    const total = await fetchModules(go, pinned, env, note);
    mkdirSync(dirname(result), { recursive: true });
    const unfinished = makeUnfinished(result);
    try {
      let compiled = 0;
      const single = recipe.programs.length === 1 ? recipe.programs[0] : undefined;
      const output = single === undefined ? `${unfinished}/` : join(unfinished, single.file);
      await exec(go.program, buildArguments(recipe, version, output), {
        cwd: source,
        env,
        limitMs: 3_600_000,
        onLine: (line) => note(`${(compiled += 1)} of at most ${total} packages compiled, last ${line}`),
      });
      place(recipe, unfinished);
      if (!existsSync(result)) renameSync(unfinished, result);
    } catch (cause) {
      throw new Error(
        `${name} ${version} does not build; repeat to go on from here: ${(cause as Error).message}`,
        { cause },
      );
    } finally {
      rmSync(unfinished, { recursive: true, force: true });
    }
  });
};

/** A folder to build in, named by this process; those of processes that were interrupted are removed. */
const makeUnfinished = (result: string): string => {
  const prefix = `${basename(result)}.unfinished-`;
  for (const entry of readdirSync(dirname(result))) {
    if (!entry.startsWith(prefix) || existsSync(`/proc/${entry.slice(prefix.length)}`)) continue;
    rmSync(join(dirname(result), entry), { recursive: true });
  }
  const folder = `${result}.unfinished-${process.pid}`;
  mkdirSync(folder, { recursive: true });
  return folder;
};

/** `go build` writes several programs side by side; some belong into a folder. */
const place = (recipe: Recipe, folder: string): void => {
  for (const { file } of recipe.programs) {
    const written = join(folder, file.slice(file.lastIndexOf('/') + 1));
    if (written === join(folder, file)) continue;
    mkdirSync(dirname(join(folder, file)), { recursive: true });
    renameSync(written, join(folder, file));
  }
};

/** The last thing that a program said, which is mostly the reason of its end. */
const lastLine = (cause: unknown): string =>
  cause instanceof ExecError
    ? (cause.stderr.trim().split('\n').at(-1) ?? cause.message)
    : (cause as Error).message;

const FETCH_TRIES = 4;

/** Downloads the modules that the programs need, and gives the number of packages to compile. */
const fetchModules = async (
  go: Go,
  { recipe, source }: Pinned,
  env: Readonly<Record<string, string>>,
  note: (text: string) => void,
): Promise<number> => {
  const tags = recipe.tags.length === 0 ? [] : ['-tags', recipe.tags.join(',')];
  const packages = recipe.programs.map((program) => program.package);
  for (let attempt = 1; ; attempt += 1) {
    try {
      const args = ['list', '-mod=readonly', '-deps', '-f', '{{.ImportPath}}', ...tags, ...packages];
      const listed = await exec(go.program, args, {
        cwd: source,
        env,
        limitMs: 1_200_000,
        onLine: (line) => line.startsWith('go: ') && note(line.slice('go: '.length)),
      });
      return listed.trim().split('\n').length;
    } catch (cause) {
      if (attempt === FETCH_TRIES || !(cause instanceof ExecError) || cause.code === null) {
        throw new Error(
          `the Go modules of ${recipe.folder} cannot be fetched; check the network and \`go env GOPROXY\`, ` +
            `then repeat, what has arrived is kept: ${lastLine(cause)}`,
          { cause },
        );
      }
      note(`fetching failed, attempt ${attempt + 1} of ${FETCH_TRIES} follows`);
      await sleep(attempt * 2_000);
    }
  }
};

/** One folder with hard links to all programs, named by the components it holds. */
const assemble = (pinned: readonly Pinned[], cache: string): string => {
  const hashes = pinned.map(({ result }) => result.slice(-4)).join('');
  const folder = join(cache, 'components', `set-${pinned[0]?.version}-${hashes}`);
  if (existsSync(folder)) return folder;
  const unfinished = makeUnfinished(folder);
  for (const { recipe, result } of pinned) {
    for (const { file } of recipe.programs) {
      mkdirSync(dirname(join(unfinished, file)), { recursive: true });
      linkSync(join(result, file), join(unfinished, file));
    }
  }
  if (existsSync(folder)) rmSync(unfinished, { recursive: true });
  else renameSync(unfinished, folder);
  return folder;
};
