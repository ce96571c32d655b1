/** Kills on real machines: one round, or as many as CLOISTER_CHAOS_MACHINE_ROUNDS says. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { pidFile } from '../../src/cluster/control.ts';
import { places } from '../../src/cluster/plan.ts';
import type { Pod } from '../../src/core/pod.ts';
import { livePid } from '../../src/host/process.ts';
import { until } from '../../src/host/wait.ts';
import { KubeClient } from '../../src/kube/client.ts';
import { loadKubeconfig } from '../../src/kube/kubeconfig.ts';
import { loadConfig } from '../../src/main/config.ts';
import { providerOf } from '../../src/main/providers.ts';
import { controllerConfigFile, startController } from '../../src/tool/product.ts';
import { type ChaosTarget, expectNothingLeft, killInEveryStage } from '../suites/kill-in-every-stage.ts';
import { apply } from '../support/kubectl.ts';
import { fargateNamespace, readyNamespace, removeFargateNamespace, shellPod } from '../support/machines.ts';
import { clusterOfRun, kubeconfigOfRun } from '../support/run.ts';

const NS = 'chaos-machines';
const ROUNDS = Number(process.env.CLOISTER_CHAOS_MACHINE_ROUNDS ?? 1);

let target: ChaosTarget;

beforeAll(async () => {
  const { name, state } = clusterOfRun();
  const { provider } = providerOf(loadConfig(controllerConfigFile(state)));
  const record = pidFile(state, 'controller');
  target = {
    client: new KubeClient(loadKubeconfig(kubeconfigOfRun())),
    kill: async () => {
      const pid = livePid(record);
      if (pid === undefined) throw new Error('the controller does not run, so it cannot be killed');
      process.kill(pid, 'SIGKILL');
      await until(() => livePid(record) === undefined, {
        limitMs: 10_000,
        what: 'the controller to be gone',
      });
    },
    start: () => startController(name, state),
    machineNames: () => provider.list(),
    isSeeded: (machine) => existsSync(join(places(state).machines, machine, 'seeded')),
    pod: (name) => shellPod(NS, name, 'sleep infinity') as Pod,
    startLimitMs: 240_000,
  };
  await apply(...fargateNamespace(NS));
  await readyNamespace(NS);
}, 60_000);

afterAll(async () => {
  await removeFargateNamespace(NS);
  await target.client.close();
}, 300_000);

it.each(Array.from({ length: ROUNDS }, (_, i) => i + 1))(
  'round %i: a controller killed in each stage leaks and loses nothing',
  (round) => killInEveryStage(target, round),
  1_200_000,
);

it('leaves nothing but what belongs to pods', async () => {
  await expectNothingLeft(target);
  expect(await target.machineNames()).toEqual([]);
});
