import { expect, test } from 'vitest';
import { table } from './output.ts';

test('columns are as wide as their longest cell, and lines end without blanks', () => {
  expect(
    table([
      ['WHAT', 'NAME', 'X'],
      ['port', 'a-long-one', ''],
      ['program', 'a', 'b'],
    ]),
  ).toBe('WHAT      NAME         X\nport      a-long-one\nprogram   a            b\n');
});
