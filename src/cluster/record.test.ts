import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type ClusterRecord, readRecord, requireSame, withLock, writeRecord } from './record.ts';

const record: ClusterRecord = {
  name: 'x',
  kubernetesVersion: '1.36',
  nodes: true,
  egress: true,
  components: '/programs',
  ports: {},
};

let parent: string;
let state: string;
beforeEach(() => {
  parent = mkdtempSync(join(tmpdir(), 'cloister-record-'));
  state = join(parent, 'x');
});
afterEach(() => rmSync(parent, { recursive: true }));

test('what is written is read', () => {
  mkdirSync(state);
  expect(readRecord(state)).toBeUndefined();
  writeRecord(state, record);
  expect(readRecord(state)).toEqual(record);
});

test('a cluster does not change what it is; its programs and ports may', () => {
  expect(() => requireSame(record, { ...record, kubernetesVersion: '1.35', nodes: false })).toThrow(
    /exists, Kubernetes 1.36, with an ordinary node, and cannot become one Kubernetes 1.35, without an ordinary node: take/,
  );
  const moved = { ...record, components: '/others', ports: { api: 1 } };
  requireSame(record, moved);
});

test('two changes at once: one is refused and says who is at it', async () => {
  const outcomes = await Promise.allSettled(
    [1, 2].map((which) =>
      withLock(state, () => new Promise<number>((resolve) => setImmediate(resolve, which))),
    ),
  );
  expect(outcomes.map((outcome) => outcome.status).sort()).toEqual(['fulfilled', 'rejected']);
  const refused = outcomes.find((outcome) => outcome.status === 'rejected');
  expect(String((refused as PromiseRejectedResult).reason)).toContain(
    `process ${process.pid} is starting or stopping`,
  );
  expect(readdirSync(parent)).toEqual([]);
});

test('a lock whose holder has ended counts for nothing', async () => {
  writeFileSync(`${state}.lock`, '4194304 1\n');
  expect(await withLock(state, async () => 'done')).toBe('done');
  expect(existsSync(`${state}.lock`)).toBe(false);
});

test('a lock is given back after a failure', async () => {
  await expect(withLock(state, () => Promise.reject(new Error('no')))).rejects.toThrow('no');
  expect(readdirSync(parent)).toEqual([]);
});
