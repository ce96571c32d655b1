/** An image with this host's Python and boto3, besides busybox: what an application of an AWS user's looks like. */
import { existsSync, readdirSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import type { Entry, Run } from '../../src/cluster/image.ts';
import { exec } from '../../src/host/exec.ts';
import { busyboxImage } from '../../src/tool/images.ts';
import { pythonPrograms } from '../aws/python.ts';
import { foldersOf, librariesOf } from './linked.ts';

/** Where packages are in the image. */
const SITE = 'site';

/** Parts of the standard library that no program here needs. */
const LEFT_OUT =
  /^(test|idlelib|lib2to3|tkinter|turtledemo|ensurepip|pydoc_data|(site|dist)-packages|config-.*)$/;
/** The services of botocore that are asked, and what it reads about all of them. */
const SERVICES = /^(sts|eks|.*\.json)$/;

/**
 * The files of a folder, by their paths in the image. Modules come compiled and without their source, which Python
 * would otherwise compile anew at every start: it compares times, and the image has none.
 */
const modulesIn = (from: string, to: string, isWanted: (name: string) => boolean): readonly Entry[] =>
  readdirSync(from, { withFileTypes: true })
    .filter(({ name }) => isWanted(name) && name !== '__pycache__')
    .flatMap((entry): readonly Entry[] => {
      const path = join(from, entry.name);
      const target = `${to}/${entry.name}`;
      if (entry.isDirectory()) {
        const wanted = (name: string): boolean =>
          !(to.endsWith('botocore') && entry.name === 'data') || SERVICES.test(name);
        return [{ type: 'directory', path: target }, ...modulesIn(path, target, wanted)];
      }
      const compiled = compiledOf(path);
      return compiled === undefined
        ? [{ type: 'copy', path: target, from: path, mode: 0o644 }]
        : [{ type: 'copy', path: target.replace(/\.py$/, '.pyc'), from: compiled, mode: 0o644 }];
    });

/** The compiled form of a module (PEP 3147); undefined for what is none. */
const compiledOf = (path: string): string | undefined => {
  if (!path.endsWith('.py')) return undefined;
  const cache = join(dirname(path), '__pycache__');
  if (!existsSync(cache)) return undefined;
  const pattern = new RegExp(`^${basename(path, '.py')}\\.cpython-\\d+\\.pyc$`);
  const file = readdirSync(cache).find((name) => pattern.test(name));
  return file === undefined ? undefined : join(cache, file);
};

/** Root file system: busybox, `python3`, its standard library, boto3. */
export const pythonImage = async (): Promise<{ readonly entries: readonly Entry[]; readonly run: Run }> => {
  const venv = join(await pythonPrograms(), '..');
  const facts = ['os.path.realpath(sys.executable)', 'sys.base_prefix', 'path("stdlib")', 'path("purelib")'];
  const [program = '', home = '', library = '', packages = ''] = (
    await exec(join(venv, 'bin', 'python'), [
      '-c',
      `import os, sys; from sysconfig import get_path as path; print(${facts.join()}, sep="\\n")`,
    ])
  ).split('\n');
  const extensions = readdirSync(join(library, 'lib-dynload')).map((name) =>
    join(library, 'lib-dynload', name),
  );
  const linked = await librariesOf([program, ...extensions]);
  const wanted = /^(boto3|botocore|dateutil|jmespath|s3transfer|urllib3|six\.py)$/;
  const { entries, run } = await busyboxImage();
  return {
    entries: [
      ...entries,
      ...foldersOf([program, join(library, 'os.py'), ...linked]),
      { type: 'copy', path: program, from: program },
      ...linked.map((path): Entry => ({ type: 'copy', path, from: path })),
      ...modulesIn(library, library, (name) => !LEFT_OUT.test(name)),
      { type: 'directory', path: SITE },
      ...modulesIn(packages, SITE, (name) => wanted.test(name)),
      { type: 'symlink', path: 'bin/python3', target: program },
    ],
    run: { ...run, Env: [...(run.Env ?? []), `PYTHONPATH=/${SITE}`, `PYTHONHOME=${home}`] },
  };
};
