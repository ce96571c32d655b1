import { describe, expect, it } from 'vitest';
import { applyPatch, type PatchOperation, pointerSegment, valueAt } from './json-patch.ts';

const DOCUMENT = { a: { 'b/c~d': 1 }, list: [1, 2, 3] };

describe('a patch', () => {
  it.each<[string, PatchOperation[], unknown]>([
    ['adds a member', [{ op: 'add', path: '/a/e', value: 2 }], { ...DOCUMENT, a: { 'b/c~d': 1, e: 2 } }],
    [
      'replaces one',
      [{ op: 'replace', path: `/a/${pointerSegment('b/c~d')}`, value: 2 }],
      { ...DOCUMENT, a: { 'b/c~d': 2 } },
    ],
    ['removes one', [{ op: 'remove', path: '/a' }], { list: [1, 2, 3] }],
    ['adds to a list', [{ op: 'add', path: '/list/1', value: 9 }], { ...DOCUMENT, list: [1, 9, 2, 3] }],
    ['adds at its end', [{ op: 'add', path: '/list/-', value: 9 }], { ...DOCUMENT, list: [1, 2, 3, 9] }],
    [
      'goes in order',
      [
        { op: 'remove', path: '/list/2' },
        { op: 'replace', path: '/list/0', value: 0 },
      ],
      { ...DOCUMENT, list: [0, 2] },
    ],
  ])('%s', (_, patch, expected) => {
    const before = structuredClone(DOCUMENT);
    expect(applyPatch<unknown>(DOCUMENT, patch)).toEqual(expected);
    expect(DOCUMENT).toEqual(before);
  });

  it.each<PatchOperation>([
    { op: 'remove', path: '/nothing' },
    { op: 'replace', path: '/a/x', value: 1 },
    { op: 'add', path: '/x/y', value: 1 },
  ])('says where it cannot be applied: %j', (operation) => {
    expect(() => applyPatch(DOCUMENT, [operation])).toThrow(
      `there is nothing at ${operation.path} to ${operation.op}`,
    );
  });

  it('reads what is its own only', () => {
    expect(valueAt(DOCUMENT, '/a/toString')).toBeUndefined();
    expect(valueAt(DOCUMENT, '')).toBe(DOCUMENT);
  });
});
