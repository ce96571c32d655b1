import { type StageOfLife, settled } from './context.ts';

/** Launched: the provider has made namespace, filter and directory, and the virtual machine is starting. */
export const launch: StageOfLife = {
  stage: 'Launched',
  advance: async ({ machine, seen }, { provider }) => {
    if (seen.state !== 'running') await provider.ensure(machine);
    return settled;
  },
};
