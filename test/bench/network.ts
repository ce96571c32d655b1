/**
 * `./tool bench network`: what the packet filters cost. Needs root, and CLOISTER_COMPONENTS, the folder of the
 * upstream programs.
 *
 *   node --import tsx test/bench/network.ts [--json FILE]
 */
import { writeFileSync } from 'node:fs';
import { availableParallelism, cpus, loadavg } from 'node:os';
import { parseArgs } from 'node:util';
import { display } from '../../src/tool/progress.ts';
import { componentsFolder } from '../support/run.ts';
import { guestPaths } from './guests.ts';
import type { Interval } from './pairs.ts';
import { pathCosts } from './paths.ts';
import { programming } from './programming.ts';

const MACHINES = 200;
const CHANGES = 5;
const ROUNDS = 15;
const GUEST_ROUNDS = 12;

const { values } = parseArgs({ options: { json: { type: 'string' } } });
const show = (what: string, value: string, goal = ''): void => {
  process.stdout.write(`${what.padEnd(58)} ${value.padStart(20)}   ${goal}\n`);
};
const inWords = ({ median, from, to }: Interval): string =>
  `${median.toFixed(2)} (${from.toFixed(2)}–${to.toFixed(2)})`;

const machine = { cores: availableParallelism(), cpu: cpus()[0]?.model ?? '', load: loadavg() };
process.stdout.write(`${machine.cores} cores of ${machine.cpu}, load ${machine.load[0]?.toFixed(1)}\n\n`);

const changed = await programming(MACHINES, CHANGES);
show(`a changed group of 60 rules on ${MACHINES} machines`, `${changed.allMs} ms`, 'goal ≤ 2000 ms');
show('  the kernel transactions alone, by a shell', `${changed.baselineMs} ms`);

const shown = display(process.stderr);
const guests = await guestPaths(componentsFolder(), GUEST_ROUNDS, shown.onProgress);
shown.stop();
show(
  'two guests, connection set-up: bridge, filtered',
  `${guests.bridged.setUpMicros} ${guests.filtered.setUpMicros} µs`,
);
show('  filtered / bridge', inWords(guests.setUp), 'goal ≤ 1.1');
show(
  'two guests, throughput: bridge, filtered',
  `${guests.bridged.gigabits} ${guests.filtered.gigabits} Gbit/s`,
);
show('  filtered / bridge', inWords(guests.throughput), 'goal ≥ 0.9');

const { paths, setUp, throughput } = await pathCosts(ROUNDS);
const [bridge, routed, filtered] = [paths.bridge, paths.routed, paths.filtered];
show(
  'namespaces, connection set-up: bridge, routed, filtered',
  `${bridge.setUpMicros} ${routed.setUpMicros} ${filtered.setUpMicros} µs`,
);
show('  filtered / routed without a filter', inWords(setUp.overRouted));
show('  filtered / bridge', inWords(setUp.overBridge));
show(
  'namespaces, throughput: bridge, routed, filtered',
  `${bridge.gigabits} ${routed.gigabits} ${filtered.gigabits} Gbit/s`,
);
show('  filtered / routed without a filter', inWords(throughput.overRouted));
show('  filtered / bridge', inWords(throughput.overBridge));

if (values.json !== undefined)
  writeFileSync(
    values.json,
    `${JSON.stringify({ machine, changed, guests, paths, setUp, throughput }, null, 2)}\n`,
  );
