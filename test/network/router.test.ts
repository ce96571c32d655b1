/** The router between attached addresses: real packets, no filters of machines. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { VPC_CIDR } from '../../src/cluster/plan.ts';
import { attach, createRouter, removeRouter } from '../../src/compute/local/router.ts';
import { addNamespace, inNamespace, removeNamespace } from '../../src/host/namespace.ts';
import { startDaemon, stopDaemon } from '../../src/host/process.ts';
import { until } from '../../src/host/wait.ts';
import { inside } from '../support/bare-machine.ts';
import { witness } from '../support/filters.ts';
import { component } from '../support/run.ts';

const ROUTER = 'routing-router';
const ENDS = { 'routing-left': '10.42.64.30', 'routing-right': '10.42.64.31' } as const;
/** A router with a way out, and the only one that is attached to it. */
const OUTWARD = 'routing-outward';
const ALONE = 'routing-alone';
const PORT = 8080;
const agnhost = component('agnhost');
const folder = mkdtempSync(join(tmpdir(), 'cloister-routing-'));
const pidFile = join(folder, 'pid');

beforeAll(async () => {
  await createRouter({ name: ROUTER, network: VPC_CIDR, egress: false });
  for (const [namespace, address] of Object.entries(ENDS)) {
    await addNamespace(namespace);
    await attach({ router: ROUTER, namespace, address });
  }
  const serve = ['netexec', `--http-port=${PORT}`, '--udp-port=-1'];
  const [program, args] = inNamespace('routing-right', agnhost, serve);
  await startDaemon({ name: 'routing', program, args, logFile: join(folder, 'log'), pidFile });
  await until(async () => (await inside('routing-right', `ss -Hltn sport = :${PORT}`)) !== '', {
    limitMs: 20_000,
    what: 'the server to listen',
  });
}, 60_000);

afterAll(async () => {
  await stopDaemon(pidFile);
  for (const namespace of Object.keys(ENDS)) await removeNamespace(namespace);
  await removeRouter(ROUTER);
  await removeRouter(OUTWARD);
  await removeNamespace(ALONE);
  rmSync(folder, { recursive: true });
});

it('lets attached addresses talk, and keeps track of none of it', async () => {
  const ask = `${agnhost} connect --timeout=5s ${ENDS['routing-right']}:${PORT}`;
  expect(await inside('routing-left', ask)).toBe('');
  expect(Number(await inside(ROUTER, 'cat /proc/sys/net/netfilter/nf_conntrack_count'))).toBe(0);
});

it('says that there is no way to where nothing is attached', async () => {
  const ask = `${agnhost} connect --timeout=5s 10.42.64.32:${PORT} 2>&1 || true`;
  expect(await inside('routing-left', ask)).toContain('OTHER');
});

it('says so too where there is a way out, and sends nothing of the network there', async () => {
  await createRouter({ name: OUTWARD, network: VPC_CIDR, egress: true });
  await addNamespace(ALONE);
  await attach({ router: OUTWARD, namespace: ALONE, address: '10.42.64.33' });
  const uplink = await witness(OUTWARD, 'uplink', { leaked: `ip daddr ${VPC_CIDR}` });
  const ask = `${agnhost} connect --timeout=2s 10.42.64.32:${PORT} 2>&1 || true`;
  expect(await inside(ALONE, ask)).toContain('OTHER');
  expect(await uplink.seen()).toEqual({ leaked: 0 });
});
