/** schemathesis against the OpenAPI document: whatever is sent, no error of ours. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { load } from 'js-yaml';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { DEFAULT_NAME } from '../../src/cluster/plan.ts';
import { exec } from '../../src/host/exec.ts';
import { pythonPrograms } from './python.ts';
import { CLUSTER, startEks, type TestEks } from './support.ts';

let test: TestEks;
let programs: string;
/** It leaves a folder where it runs. */
const scratch = mkdtempSync(join(tmpdir(), 'cloister-fuzz-'));

beforeAll(async () => {
  programs = await pythonPrograms(['schemathesis==4.32.5']);
  // Signatures have tests of their own; here everything behind them is to be reached.
  test = await startEks({ anonymous: true, rate: { perSecond: 1e6, burst: 1_000_000 } });
}, 600_000);

afterAll(async () => {
  rmSync(scratch, { recursive: true });
  await test?.stop();
}, 60_000);

it('serves the document that is in the repository', async () => {
  const served = await fetch(`${test.product.eks.http}/openapi.json`);
  const text = readFileSync(join(import.meta.dirname, '../../docs/eks-openapi.yaml'), 'utf8');
  // Only the name of the one cluster differs.
  expect(load(text.replaceAll(`- ${DEFAULT_NAME}\n`, `- ${CLUSTER}\n`))).toEqual(await served.json());
});

it('finds no server error, and no answer that the document does not describe', async () => {
  const checks = ['not_a_server_error', 'status_code_conformance', 'content_type_conformance'];
  const output = await exec(
    join(programs, 'schemathesis'),
    [
      ...[
        'run',
        `${test.product.eks.http}/openapi.json`,
        '--checks',
        [...checks, 'response_schema_conformance'].join(),
      ],
      ...[
        '--max-examples',
        '60',
        '--phases',
        'fuzzing,stateful',
        '--seed',
        '7',
        '--no-color',
        '--generation-database',
        'none',
      ],
    ],
    { limitMs: 240_000, cwd: scratch },
  );
  expect(output).toMatch(/(\d+) generated, \1 passed/);
}, 300_000);
