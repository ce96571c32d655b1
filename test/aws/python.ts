/** AWS CLI and boto3 from PyPI, unmodified, in a virtual environment below the cache folder. */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { KeyPair } from '../../src/eks/access.ts';
import { exec } from '../../src/host/exec.ts';
import { cacheFolder } from '../../src/host/folders.ts';
import type { TestProduct } from '../support/product.ts';
import { REGION } from './support.ts';

const PACKAGES = ['awscli==1.46.3', 'boto3==1.44.8'];

/** Folder with the programs of an environment that has these packages; made when it does not exist. */
export const pythonPrograms = async (packages: readonly string[] = PACKAGES): Promise<string> => {
  const name = createHash('sha256').update(packages.join()).digest('hex').slice(0, 16);
  const folder = join(cacheFolder(), 'python', name);
  if (existsSync(join(folder, 'bin', 'complete'))) return join(folder, 'bin');
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(join(cacheFolder(), 'python'), { recursive: true });
  // Needs the Debian package python3-venv.
  await exec('python3', ['-m', 'venv', folder], { limitMs: 120_000 });
  await exec(join(folder, 'bin', 'pip'), ['install', '--quiet', '--disable-pip-version-check', ...packages], {
    limitMs: 400_000,
  });
  await exec(join(folder, 'bin', 'python'), ['-c', `open('${join(folder, 'bin', 'complete.new')}', 'w')`]);
  renameSync(join(folder, 'bin', 'complete.new'), join(folder, 'bin', 'complete'));
  return join(folder, 'bin');
};

/** What points AWS clients at the product and at nothing of this machine's own configuration. */
export const awsEnvironment = (product: TestProduct, keys?: KeyPair): Record<string, string> => ({
  AWS_ENDPOINT_URL_EKS: product.eks.http,
  AWS_ENDPOINT_URL_STS: product.eks.http,
  AWS_REGION: REGION,
  AWS_DEFAULT_REGION: REGION,
  AWS_CONFIG_FILE: '/dev/null',
  AWS_SHARED_CREDENTIALS_FILE: '/dev/null',
  AWS_EC2_METADATA_DISABLED: 'true',
  AWS_PAGER: '',
  ...(keys === undefined
    ? {}
    : { AWS_ACCESS_KEY_ID: keys.accessKeyId, AWS_SECRET_ACCESS_KEY: keys.secretAccessKey }),
});
