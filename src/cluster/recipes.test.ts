import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { ROOT } from '../host/script.ts';
import { servedMinors } from './components.ts';
import { buildArguments, linkerFlags, pinnedVersion, recipes, resultName } from './recipes.ts';

const goMod = (folder: string): string => readFileSync(join(ROOT, 'upstream', folder, 'go.mod'), 'utf8');

test('every recipe finds its module pinned, and every program named as a tool', () => {
  for (const minor of servedMinors()) {
    for (const recipe of recipes(minor)) {
      const text = goMod(recipe.folder);
      expect(pinnedVersion(text, recipe.module)).toMatch(/^\d+\.\d+\.\d+$/);
      for (const program of recipe.programs) expect(text).toMatch(new RegExp(`\\s${program.package}\\n`));
      expect(existsSync(join(ROOT, 'upstream', recipe.folder, 'go.sum'))).toBe(true);
    }
  }
});

test('the folder of a Kubernetes minor pins that minor', () => {
  expect(servedMinors()[0]).toBe('1.36');
  for (const minor of servedMinors()) {
    expect(pinnedVersion(goMod(`kubernetes-${minor}`), 'k8s.io/kubernetes')).toMatch(
      new RegExp(`^${minor}\\.`),
    );
  }
});

test.each([
  ['require example.org/a v1.2.3', '1.2.3'],
  ['require (\n\texample.org/ab v9.9.9\n\texample.org/a v1.2.3 // indirect\n)', '1.2.3'],
])('reads a version from %j', (text, version) => {
  expect(pinnedVersion(text, 'example.org/a')).toBe(version);
});

test('says so when a module is not pinned', () => {
  expect(() => pinnedVersion('module m', 'example.org/a')).toThrow('go.mod does not pin example.org/a');
});

test('Kubernetes is told its version, others are not', () => {
  const [kubernetes, coredns] = recipes('1.36');
  expect(linkerFlags(kubernetes as never, '1.36.3')).toContain('version.gitVersion=v1.36.3');
  expect(linkerFlags(kubernetes as never, '1.36.3')).toContain('version.gitMinor=36');
  expect(linkerFlags(coredns as never, '1.14.6')).toBe('-s -w');
});

test('builds from the pinned modules only, without paths of this machine', () => {
  for (const recipe of recipes('1.36')) {
    const args = buildArguments(recipe, '1.0.0', '/out/');
    expect(args).toContain('-mod=readonly');
    expect(args).toContain('-trimpath');
    expect(args.slice(-recipe.programs.length)).toEqual(recipe.programs.map((program) => program.package));
  }
});

test('the name of a result changes with every input, and with nothing else', () => {
  const [kubernetes, coredns] = recipes('1.36') as [never, never];
  const names = [
    resultName(kubernetes, 'mod', 'sum'),
    resultName(kubernetes, 'mod2', 'sum'),
    resultName(kubernetes, 'mod', 'sum2'),
    resultName(coredns, 'mod', 'sum'),
  ];
  expect(new Set(names).size).toBe(4);
  expect(resultName(kubernetes, 'mod', 'sum')).toBe(names[0]);
});
