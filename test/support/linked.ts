/** Programs of this host in an image, with what they are linked with. */
import { dirname } from 'node:path';
import type { Entry } from '../../src/cluster/image.ts';
import { exec } from '../../src/host/exec.ts';

/** Shared libraries that programs are linked with, by ldd(1). */
export const librariesOf = async (programs: readonly string[]): Promise<readonly string[]> => {
  const list = await exec('ldd', programs);
  return [...new Set([...list.matchAll(/(?:=> )?(\/\S+) \(0x/g)].map(([, path = '']) => path))];
};

/** The folders that files are in. */
export const foldersOf = (paths: readonly string[]): readonly Entry[] => {
  const all = new Set<string>();
  for (const path of paths) for (let at = dirname(path); at !== '/'; at = dirname(at)) all.add(at);
  return [...all].toSorted().map((path) => ({ type: 'directory', path }));
};

/** Debian's perl as `/bin/perl`: the interpreter alone, which needs no file for what is built into it. */
export const perlEntries = async (): Promise<readonly Entry[]> => {
  const program = '/usr/bin/perl';
  const linked = await librariesOf([program]);
  return [
    ...foldersOf(linked),
    ...linked.map((path): Entry => ({ type: 'copy', path, from: path })),
    { type: 'copy', path: 'bin/perl', from: program },
  ];
};
