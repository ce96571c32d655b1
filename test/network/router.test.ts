/** The router between attached addresses: real packets, no filters of machines. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { VPC_CIDR } from '../../src/cluster/plan.ts';
import { attach, createRouter, detach, enclose, removeRouter } from '../../src/compute/local/router.ts';
import { addNamespace, inNamespace, removeNamespace } from '../../src/host/namespace.ts';
import { startDaemon, stopDaemon } from '../../src/host/process.ts';
import { until } from '../../src/host/wait.ts';
import { inside } from '../support/bare-machine.ts';
import { type Witness, witness } from '../support/filters.ts';
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

it('leaves an address to the one that has it now when an earlier one goes', async () => {
  const [address, earlier, later] = ['10.42.64.33', 'routing-earlier', 'routing-later'];
  for (const namespace of [earlier, later]) {
    await addNamespace(namespace);
    await attach({ router: ROUTER, namespace, address });
  }
  await detach({ router: ROUTER, namespace: earlier, address });
  expect(await inside(later, 'ip -br link show eth0')).toContain('eth0');
  await detach({ router: ROUTER, namespace: later, address });
  expect(await inside(later, 'ip -br link show')).not.toContain('eth0');
  for (const namespace of [earlier, later]) await removeNamespace(namespace);
});

it('says that there is no way to where nothing is attached', async () => {
  const ask = `${agnhost} connect --timeout=5s 10.42.64.32:${PORT} 2>&1 || true`;
  expect(await inside('routing-left', ask)).toContain('OTHER');
});

describe('where there is a way out', () => {
  const SECOND = '10.43.0.0/16';
  const SINGLE = '10.44.0.9';
  let uplink: Witness;

  /** What the one that is attached hears of an address. */
  const said = (address: string): Promise<string> =>
    inside(ALONE, `${agnhost} connect --timeout=1s ${address}:${PORT} 2>&1 || true`);

  beforeAll(async () => {
    await createRouter({ name: OUTWARD, network: VPC_CIDR, egress: true });
    await addNamespace(ALONE);
    await attach({ router: OUTWARD, namespace: ALONE, address: '10.42.64.33' });
    // It tells one host about once a second that there is no way, where nobody says otherwise.
    await inside(OUTWARD, 'echo 0 >/proc/sys/net/ipv4/icmp_ratelimit');
    uplink = await witness(OUTWARD, 'uplink', {
      primary: `ip daddr ${VPC_CIDR}`,
      second: `ip daddr ${SECOND}`,
      single: `ip daddr ${SINGLE}`,
    });
  }, 30_000);

  it('says so, too, and sends nothing of the network there', async () => {
    expect(await said('10.42.64.32')).toContain('OTHER');
    expect(await uplink.seen()).toMatchObject({ primary: 0 });
  });

  it('sends nothing of any further network there, for as long as it is one', async () => {
    for (const _again of [1, 2]) await enclose(OUTWARD, [VPC_CIDR, SECOND, `${SINGLE}/32`, '2001:db8::/56']);
    for (const address of ['10.42.64.32', '10.43.0.9', SINGLE])
      expect(await said(address)).toContain('OTHER');
    expect(await uplink.seen()).toEqual({ primary: 0, second: 0, single: 0 });

    await enclose(OUTWARD, [VPC_CIDR, SECOND]);
    for (const address of ['10.42.64.32', '10.43.0.9', SINGLE]) await said(address);
    expect(await uplink.seen()).toEqual({ primary: 0, second: 0, single: expect.any(Number) });
    expect((await uplink.seen())['single']).toBeGreaterThan(0);
  });

  it('leaves the way to what is attached, were its address a network of its own', async () => {
    await enclose(OUTWARD, [VPC_CIDR, '10.42.64.33/32']);
    expect(await inside(OUTWARD, 'ip route get 10.42.64.33')).toContain('dev v0a2a4021');
  });
});
