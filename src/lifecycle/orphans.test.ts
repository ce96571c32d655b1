import { pino } from 'pino';
import { expect, it } from 'vitest';
import { COMPUTE_TYPE, COMPUTE_TYPE_FARGATE, MICROVM_ANNOTATION } from '../core/names.ts';
import type { Context } from './context.ts';
import { removeOrphans } from './orphans.ts';

it('one machine that cannot be removed keeps nothing else from being, nor the controller from starting', async () => {
  const removed: string[] = [];
  const node = {
    metadata: {
      name: 'fargate-ip-10-0-0-7',
      labels: { [COMPUTE_TYPE]: COMPUTE_TYPE_FARGATE },
      annotations: { [MICROVM_ANNOTATION]: 'vm-2' },
    },
  };
  await removeOrphans({
    provider: {
      list: async () => ['vm-1', 'vm-2'],
      remove: async (name: string) => {
        if (name === 'vm-1') throw new Error('its process does not end');
        removed.push(name);
      },
    },
    microVMs: { get: () => undefined },
    nodes: { list: () => [node] },
    client: { delete: async (_resource: unknown, { name }: { name: string }) => void removed.push(name) },
    log: pino({ level: 'silent' }),
  } as unknown as Context);
  expect(removed).toEqual(['vm-2', 'fargate-ip-10-0-0-7']);
});
