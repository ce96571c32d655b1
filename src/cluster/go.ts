/** Finding a Go that can build the pinned modules. */
import { existsSync } from 'node:fs';
import { arch } from 'node:os';
import { exec } from '../host/exec.ts';

/** A Go command and what it needs in its environment. */
export interface Go {
  readonly program: string;
  readonly env: Readonly<Record<string, string>>;
}

/** The language version that the go.mod files below `upstream/` ask for. */
const NEEDED = [1, 26] as const;

/** From this version on a Go command fetches a newer toolchain by itself (go.dev/doc/toolchain). */
const SWITCHES = [1, 21] as const;

/** `[1, 26]` of `go version go1.26.8 linux/amd64`; undefined when the text is something else. */
export const parseGoVersion = (text: string): readonly [number, number] | undefined => {
  const found = text.match(/\bgo(\d+)\.(\d+)/);
  return found === null ? undefined : [Number(found[1]), Number(found[2])];
};

const atLeast = ([major, minor]: readonly [number, number], [a, b]: readonly [number, number]): boolean =>
  major > a || (major === a && minor >= b);

/** What a Go command of this version can do for us. */
export const judgeGo = (version: readonly [number, number]): 'new-enough' | 'switches' | 'too-old' =>
  atLeast(version, NEEDED) ? 'new-enough' : atLeast(version, SWITCHES) ? 'switches' : 'too-old';

const candidates = (): readonly string[] => [
  'go',
  '/usr/local/go/bin/go',
  ...[30, 29, 28, 27, 26, 25, 24, 23, 22, 21].map((minor) => `/usr/lib/go-1.${minor}/bin/go`),
];

/** The version of a Go command by itself, without switching toolchains; undefined when there is none. */
const ownVersion = async (program: string): Promise<readonly [number, number] | undefined> => {
  if (program.startsWith('/') && !existsSync(program)) return undefined;
  try {
    return parseGoVersion(await exec(program, ['version'], { env: { GOTOOLCHAIN: 'local' } }));
  } catch {
    return undefined; // not installed: the caller asks the next one, and complains when none is left
  }
};

/** Whether any Go on this machine can build; decides if packages must be installed. */
export const haveGo = async (): Promise<boolean> => (await choose()) !== undefined;

const choose = async (): Promise<Go | undefined> => {
  let switching: Go | undefined;
  for (const program of candidates()) {
    const version = await ownVersion(program);
    if (version === undefined) continue;
    const verdict = judgeGo(version);
    if (verdict === 'new-enough') return { program, env: { GOTOOLCHAIN: 'local' } };
    if (verdict === 'switches') switching ??= { program, env: { GOTOOLCHAIN: 'auto' } };
  }
  return switching;
};

/**
 * The Go to build with: 1.26 or newer if there is one, else one from 1.21 on, told to fetch 1.26 itself, even
 * where the machine's own setting is `GOTOOLCHAIN=local`.
 * @throws Error that says what to install
 */
export const findGo = async (): Promise<Go> => {
  if (arch() !== 'x64') throw new Error(`this machine is ${arch()}: Cloister runs on x86-64 only so far`);
  const go = await choose();
  if (go !== undefined) return go;
  throw new Error(
    `no Go ${NEEDED.join('.')} or newer: install Debian's golang-go (backports on Debian 12), or Go from its own site`,
  );
};
