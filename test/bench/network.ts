/**
 * `./tool bench network`: what the packet filters cost. Needs root, and CLOISTER_COMPONENTS, the folder of the
 * upstream programs.
 *
 *   node --import tsx test/bench/network.ts [--json FILE]
 */
import { writeFileSync } from 'node:fs';
import { availableParallelism, cpus, loadavg } from 'node:os';
import { parseArgs } from 'node:util';
import { pathCosts, type Ratio } from './paths.ts';
import { programming } from './programming.ts';

const MACHINES = 200;
const CHANGES = 5;
const ROUNDS = 15;

const { values } = parseArgs({ options: { json: { type: 'string' } } });
const show = (what: string, value: string, goal = ''): void => {
  process.stdout.write(`${what.padEnd(58)} ${value.padStart(20)}   ${goal}\n`);
};
const inWords = ({ median, from, to }: Ratio): string =>
  `${median.toFixed(2)} (${from.toFixed(2)}–${to.toFixed(2)})`;

const machine = { cores: availableParallelism(), cpu: cpus()[0]?.model ?? '', load: loadavg() };
process.stdout.write(`${machine.cores} cores of ${machine.cpu}, load ${machine.load[0]?.toFixed(1)}\n\n`);

const changed = await programming(MACHINES, CHANGES);
show(`a changed group of 60 rules on ${MACHINES} machines`, `${changed.allMs} ms`, 'goal ≤ 2000 ms');
show('  the kernel transactions alone, by a shell', `${changed.baselineMs} ms`);

const { paths, setUp, throughput } = await pathCosts(ROUNDS);
const [bridge, routed, filtered] = [paths.bridge, paths.routed, paths.filtered];
show(
  'connection set-up: bridge, routed, filtered',
  `${bridge.setUpMicros} ${routed.setUpMicros} ${filtered.setUpMicros} µs`,
);
show('  filtered / routed without a filter', inWords(setUp.overRouted), 'goal ≤ 1.1');
show('  filtered / bridge', inWords(setUp.overBridge));
show(
  'throughput: bridge, routed, filtered',
  `${bridge.gigabits} ${routed.gigabits} ${filtered.gigabits} Gbit/s`,
);
show('  filtered / routed without a filter', inWords(throughput.overRouted), 'goal ≥ 0.9');
show('  filtered / bridge', inWords(throughput.overBridge));

if (values.json !== undefined)
  writeFileSync(values.json, `${JSON.stringify({ machine, changed, paths, setUp, throughput }, null, 2)}\n`);
