import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, afterEach, expect, test, vi } from 'vitest';
import { writeRecord } from '../cluster/record.ts';
import { stateFolder } from '../host/folders.ts';
import { DEFAULTS } from './settings.ts';
import { bringUp, nextSteps } from './up.ts';

const folder = mkdtempSync(join(tmpdir(), 'cloister-up-'));
afterEach(() => vi.unstubAllEnvs());
afterAll(() => rmSync(folder, { recursive: true }));

test('a cluster that is to become another one is refused before anything is prepared', async () => {
  vi.stubEnv('XDG_STATE_HOME', folder);
  const state = stateFolder(DEFAULTS.name);
  mkdirSync(dirname(state), { recursive: true });
  mkdirSync(state);
  writeRecord(state, { ...DEFAULTS, components: '/programs', ports: {} });
  const steps: string[] = [];
  const other = bringUp({ ...DEFAULTS, kubernetesVersion: '1.35' }, ({ step }) => steps.push(step));
  await expect(other).rejects.toThrow(/exists, Kubernetes 1.36, and cannot become one Kubernetes 1.35/);
  expect(steps).toEqual([]);
});

test('what to do next needs the cluster that was started, and no demonstration that was not', () => {
  const running = { cluster: { kubeconfig: '/k' }, virtualisation: 'guests run' };
  const other = nextSteps(running, { name: 'other', demo: false }, 18_400);
  expect(other).toContain('Ready in 18 s; guests run.');
  expect(other).toContain(
    './tool kubectl --name other get pods,nodes -A -o wide\n  ./tool down --name other\n',
  );
  expect(nextSteps(running, { name: DEFAULTS.name, demo: true }, 1)).toContain(
    './tool kubectl -n demo exec deploy/hello -- uname -a\n  ./tool down\n',
  );
});
