import { expect, test } from 'vitest';
import { chooseSuites } from './test.ts';

test('suites are chosen by name or by a file of theirs', () => {
  expect(chooseSuites([]).map(({ name }) => name)).toContain('vm');
  expect(chooseSuites(['unit']).map(({ name }) => name)).toEqual(['unit']);
  const [chosen, ...others] = chooseSuites(['test/vm/pod.test.ts']);
  expect(chosen).toMatchObject({ name: 'vm', files: ['test/vm/pod.test.ts'] });
  expect(others).toEqual([]);
});

test('a folder of the source is part of the unit suite; a suite of the same name comes first', () => {
  expect(chooseSuites(['core', 'kube'])).toMatchObject([{ name: 'unit', files: ['src/core', 'src/kube'] }]);
  expect(chooseSuites(['cluster'])).toMatchObject([{ name: 'cluster', files: [] }]);
});

test('a suite or file that does not exist is refused, before anything is set up for it', () => {
  expect(() => chooseSuites(['test/vm/pot.test.ts'])).toThrow(/no suite test\/vm\/pot.test.ts: name one/);
  expect(() => chooseSuites(['unit', 'units'])).toThrow(
    /no suite units: name one of unit, cluster, network, aws, vm, chaos/,
  );
});
