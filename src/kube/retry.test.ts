import { expect, it } from 'vitest';
import { ApiError } from './errors.ts';
import { retried } from './retry.ts';

const refusal = (status: number, reason: string) => new ApiError('PUT /a', { status, reason });

it.each<[string, readonly Error[], string | number]>([
  ['succeeds at once', [], 1],
  ['succeeds after four faster writers', Array.from({ length: 4 }, () => refusal(409, 'Conflict')), 5],
  ['succeeds after another made it', [refusal(409, 'AlreadyExists')], 2],
  ['ends after five', Array.from({ length: 5 }, () => refusal(409, 'Conflict')), 'PUT /a'],
  ['ends with any other error', [refusal(403, 'Forbidden')], 'PUT /a'],
])('%s', async (_, errors, expected) => {
  let made = 0;
  const outcome = retried(async () => {
    const error = errors[made++];
    if (error !== undefined) throw error;
    return made;
  });
  if (typeof expected === 'number') expect(await outcome).toBe(expected);
  else await expect(outcome).rejects.toThrow(expected);
  expect(made).toBe(typeof expected === 'number' ? expected : errors.length);
});
