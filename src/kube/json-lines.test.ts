import { describe, expect, it } from 'vitest';
import { ConnectionError } from './errors.ts';
import { jsonLines } from './json-lines.ts';

async function* chunksOf(text: string, size: number): AsyncGenerator<Buffer> {
  const bytes = Buffer.from(text);
  for (let start = 0; start < bytes.length; start += size) yield bytes.subarray(start, start + size);
}

const read = async (bytes: AsyncIterable<Buffer>): Promise<unknown[]> => {
  const values: unknown[] = [];
  for await (const value of jsonLines(bytes, 'watch things')) values.push(value);
  return values;
};

describe('jsonLines', () => {
  it.each([1, 2, 3, 7, 1_000])('puts values together from chunks of %i bytes', async (size) => {
    const values = [{ name: 'Zürich' }, { name: '東京', empty: '' }, { name: '🦀\n' }];
    const text = values.map((value) => `${JSON.stringify(value)}\n`).join('');
    expect(await read(chunksOf(text, size))).toEqual(values);
  });

  it('leaves out a line that was cut off', async () => {
    expect(await read(chunksOf('{"a":1}\n{"a":', 4))).toEqual([{ a: 1 }]);
  });

  it('takes anything but JSON for a broken connection', async () => {
    const error = await read(chunksOf('<html>\n', 100)).catch((cause) => cause);
    expect(error).toBeInstanceOf(ConnectionError);
    expect(error).toMatchObject({ kind: 'broken', message: expect.stringMatching(/^watch things: /) });
  });

  it('closes the stream when its reader leaves', async () => {
    let closed = false;
    async function* endless(): AsyncGenerator<Buffer> {
      try {
        for (;;) yield Buffer.from('1\n');
      } finally {
        closed = true;
      }
    }
    for await (const _ of jsonLines(endless(), 'watch things')) break;
    expect(closed).toBe(true);
  });
});
