/** The command line as programs use it: exit codes, closed pipes, and which cluster is meant. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { kubeconfigPath } from './connect.ts';

const MAIN = join(import.meta.dirname, 'main.ts');
const folder = mkdtempSync(join(tmpdir(), 'cloister-cli-'));
afterAll(() => rmSync(folder, { recursive: true }));

const file = (name: string, text: string): string => {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
};

const start = (...args: readonly string[]) =>
  spawn(process.execPath, ['--import', 'tsx', MAIN, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });

const codeOf = async (...args: readonly string[]): Promise<number> => {
  const child = start(...args);
  child.stdout.resume();
  child.stderr.resume();
  const [code] = await once(child, 'close');
  return code;
};

describe('exit codes', () => {
  it.each([
    ['an option that is not there', ['doctor', '--bogus']],
    ['an option that is missing', ['plan']],
    ['a command that is not there', ['plam']],
    ['no command at all', []],
  ])('are 2, which is no verdict, after %s', async (_, args) => {
    expect(await codeOf(...args)).toBe(2);
  });

  it('are 0 after the version', async () => {
    const child = start('--version');
    const texts: string[] = [];
    child.stdout.setEncoding('utf8').on('data', (text) => texts.push(text));
    expect(await once(child, 'close')).toEqual([0, null]);
    expect(texts.join('')).toMatch(/^\d+\.\d+\.\d+\n$/);
  });

  it('are 0 after help', async () => {
    expect(await codeOf('plan', '--help')).toBe(0);
  });
});

describe('a reader that closes the pipe', () => {
  it('is no error', async () => {
    const profiles = file(
      'profiles.yaml',
      'kind: FargateProfile\nmetadata: {name: apps}\nspec: {selectors: [{namespace: apps}]}\n',
    );
    const pod =
      'kind: Pod\nmetadata: {name: p, namespace: apps}\nspec: {containers: [{name: c, image: i}]}\n';
    const pods = file('pods.yaml', Array.from({ length: 100 }, () => pod).join('---\n'));
    const child = start('plan', '-f', pods, '--profiles', profiles, '-o', 'json');
    let complaint = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => (complaint += text));
    child.stdout.once('data', () => child.stdout.destroy());
    const [code] = await once(child, 'exit');
    expect({ code, complaint }).toEqual({ code: 0, complaint: '' });
  });
});

describe('the kubeconfig', () => {
  const mine = file('mine', '');

  it('is the first of KUBECONFIG that is there', () => {
    expect(kubeconfigPath(undefined, { KUBECONFIG: `:${join(folder, 'gone')}:${mine}` })).toBe(mine);
  });

  it('is no other cluster when nothing that KUBECONFIG names is there', () => {
    const gone = join(folder, 'gone');
    expect(() => kubeconfigPath(undefined, { KUBECONFIG: gone })).toThrow(
      `KUBECONFIG names no file that is there: ${gone}; correct it, or unset it`,
    );
  });

  it('is the one named, whatever KUBECONFIG says', () => {
    expect(kubeconfigPath('named', { KUBECONFIG: mine })).toBe('named');
  });
});
