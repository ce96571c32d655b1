import { expect, it } from 'vitest';
import type { Pod } from '../pod.ts';
import { oldestFirst } from './turn.ts';

const pod = (name: string, creationTimestamp: string): Pod => ({
  metadata: { namespace: 'n', name, creationTimestamp },
  spec: { containers: [] },
});

it('the pod that came first is first, whatever its name', () => {
  const pods = [
    pod('a', '2026-01-01T00:00:10Z'),
    pod('c', '2026-01-01T00:00:09Z'),
    pod('b', '2026-01-01T00:00:09Z'),
    pod('d', '2025-12-31T23:59:59Z'),
  ];
  expect(oldestFirst(pods).map(({ metadata }) => metadata.name)).toEqual(['d', 'c', 'b', 'a']);
});
