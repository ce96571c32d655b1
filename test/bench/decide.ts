/**
 * `./tool bench decide`: what the decisions cost. Needs CLOISTER_COMPONENTS, the folder of the upstream programs.
 *
 *   node --import tsx test/bench/decide.ts [--json FILE]
 */
import { writeFileSync } from 'node:fs';
import { availableParallelism, cpus, loadavg } from 'node:os';
import { parseArgs } from 'node:util';
import { admissionTimes } from './admission.ts';
import { clusterAdmission } from './cluster-admission.ts';
import type { Interval } from './pairs.ts';
import { decisionsPerSecond, matchingMicros } from './pure.ts';
import { schedulerRates } from './schedulers.ts';

const { values } = parseArgs({ options: { json: { type: 'string' } } });

const tenths = (value: number): number => Math.round(value * 10) / 10;
const show = (what: string, value: string, goal = ''): void => {
  process.stdout.write(`${what.padEnd(60)} ${value.padStart(20)}   ${goal}\n`);
};

const machine = {
  cores: availableParallelism(),
  cpu: cpus()[0]?.model ?? '',
  node: process.version,
  load: loadavg(),
};
process.stdout.write(
  `${machine.cores} cores of ${machine.cpu}, Node ${machine.node}, load ${tenths(machine.load[0] ?? 0)}\n\n`,
);

// First, while this process has little to collect: its pauses would count as admission's.
const admission = await admissionTimes(200, 15);
show('admission over HTTPS at 200 pods/s, median', `${admission.medianMs} ms`);
show('admission over HTTPS at 200 pods/s, p99', `${admission.p99Ms} ms`, 'goal ≤ 20 ms');
const inCluster = await clusterAdmission(200, { pairs: 10, seconds: 3 });
const { withWebhooks, withoutWebhooks, added } = inCluster;
const inPercent = (share: number): string => `${(share * 100).toFixed(1)} %`;
const inWords = ({ median, from, to }: Interval): string =>
  `${median.toFixed(1)} (${from.toFixed(1)}–${to.toFixed(1)}) ms`;
show('what it adds to pod creation at 200/s, p99 in pairs of turns', inWords(added.p99), 'goal ≤ 20 ms');
show('  median', inWords(added.median));
show('  creation with and without it, p99', `${withWebhooks.p99Ms} and ${withoutWebhooks.p99Ms} ms`);
show('  medians', `${withWebhooks.medianMs} and ${withoutWebhooks.medianMs} ms`);
for (const { name, meanMs, within5Ms, within25Ms } of inCluster.webhooks)
  show(
    `  ${name}`,
    `${meanMs} ms`,
    `mean by the API server; ${inPercent(within5Ms)} within 5 ms, ${inPercent(within25Ms)} within 25 ms`,
  );

const matching = {
  plainMicros: tenths(matchingMicros('none')),
  wildcardValuesMicros: tenths(matchingMicros('values')),
  wildcardKeysMicros: tenths(matchingMicros('keys')),
};
show('match, 1,000 profiles × 5 selectors, median', `${matching.plainMicros} µs`, 'goal ≤ 50 µs');
show('  with wildcards in label values', `${matching.wildcardValuesMicros} µs`, 'goal ≤ 50 µs');
show('  with wildcards in label keys, all different', `${matching.wildcardKeysMicros} µs`, 'goal ≤ 50 µs');

const decisions = decisionsPerSecond();
show('decisions beside 1,000 machines', `${decisions}/s`, 'goal ≥ 20000/s');

const schedulers = await schedulerRates(500, 500);
const { cloister, kubeScheduler } = schedulers;
show('kube-scheduler, pods bound to 500 fake nodes', `${kubeScheduler.boundPerSecond}/s`);
show('our scheduler, pods placed on machines made for them', `${cloister.placedPerSecond}/s`);
show('whole life cycle at once: pods bound to Nodes made for them', `${cloister.boundPerSecond}/s`);

if (values.json !== undefined) {
  const report = { machine, matching, decisionsPerSecond: decisions, admission, inCluster, schedulers };
  writeFileSync(values.json, `${JSON.stringify(report, null, 2)}\n`);
}
