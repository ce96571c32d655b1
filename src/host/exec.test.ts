import { expect, it } from 'vitest';
import { exec } from './exec.ts';

it('a program that leaves its output to another is waited for no longer than the limit', async () => {
  const began = performance.now();
  const left = exec('sh', ['-c', 'setsid sleep 4 & exit 0'], { limitMs: 300 });
  await expect(left).rejects.toThrow('not finished after 0.3 s');
  expect(performance.now() - began).toBeLessThan(3_000);
});
