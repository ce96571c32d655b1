import { StringDecoder } from 'node:string_decoder';
import { connectionErrorOf } from './errors.ts';

/**
 * The JSON values of a stream that holds one per line, as watches do. Leaving the loop closes the stream.
 * @param what names the request in errors
 * @throws ConnectionError when the stream breaks, goes silent, or holds something else
 */
export async function* jsonLines<T>(bytes: AsyncIterable<Buffer>, what: string): AsyncGenerator<T, void> {
  const decoder = new StringDecoder('utf8'); // a character may be split between chunks
  let rest = '';
  try {
    for await (const chunk of bytes) {
      const lines = (rest + decoder.write(chunk)).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) yield JSON.parse(line) as T;
    }
  } catch (cause) {
    throw connectionErrorOf(what, cause);
  }
}
