/** A controller that was killed while it launched a machine, and the next one that finds it half-made. */
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { machineDirectory } from '../../src/compute/local/directory.ts';
import { machineNamespace } from '../../src/compute/local/prepare.ts';
import { addNamespace } from '../../src/host/namespace.ts';
import { until } from '../../src/host/wait.ts';
import { bareMachineOf, barePlace } from '../support/bare-machine.ts';

/** Holds the lock as `launch` does, becomes the machine after a second, and lives for a while. */
const LAUNCH = `
  exec 9>lock; flock 9; sleep 1
  read -r stat </proc/$$/stat; stat=\${stat##*) }; set -- $stat
  echo "$$ \${20}" >pid.new; mv pid.new pid; exec sleep 60`;

it('waits for a launch that is under way, and sets nothing up anew around it', async () => {
  const place = await barePlace('launching');
  const machine = bareMachineOf('slow', 'shop', '10.42.64.50');
  const { path } = machineDirectory(place.directory, machine.name);
  await addNamespace(machineNamespace(place.cluster, machine.name));
  mkdirSync(path, { mode: 0o700 });
  const launch = spawn('sh', ['-c', LAUNCH], { cwd: path, detached: true, stdio: 'ignore' });
  launch.unref();
  await until(() => existsSync(join(path, 'lock')), { limitMs: 5_000, what: 'the launch to begin' });

  await place.provider.ensure(machine);
  expect(existsSync(join(path, 'network'))).toBe(false);
  expect(await place.provider.inspect(machine.name)).toMatchObject({ state: 'running' });

  await place.provider.remove(machine.name);
  await place.end();
}, 60_000);
