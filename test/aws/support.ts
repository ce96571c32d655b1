/** The product with its EKS API, and AWS clients that know nothing of it but its address. */
import { EKSClient, ListClustersCommand } from '@aws-sdk/client-eks';
import { STSClient } from '@aws-sdk/client-sts';
import type { PodExecutionRole } from '../../src/api/pod-execution-role.ts';
import { podExecutionRoles, subnets } from '../../src/api/resources.ts';
import { API_VERSION } from '../../src/core/names.ts';
import { ensureAdminKey, type KeyPair } from '../../src/eks/access.ts';
import { until } from '../../src/host/wait.ts';
import type { KubeClient } from '../../src/kube/client.ts';
import type { EksConfig } from '../../src/main/config.ts';
import { startProduct, type TestProduct } from '../support/product.ts';

export const CLUSTER = 'test';
export const REGION = 'local-1';
export const ACCOUNT = '111122223333';
export const ROLE = `arn:aws:iam::${ACCOUNT}:role/pods`;

/** The trust policy of the user guide (spec/fargate.md §1.8), with a condition of choice. */
export const trustPolicy = (
  condition: object = {
    ArnLike: { 'aws:SourceArn': `arn:aws:eks:${REGION}:${ACCOUNT}:fargateprofile/${CLUSTER}/*` },
  },
  service = 'eks-fargate-pods.amazonaws.com',
) => ({
  Version: '2012-10-17',
  Statement: [
    {
      Effect: 'Allow',
      Condition: condition,
      Principal: { Service: service },
      Action: 'sts:AssumeRole',
    },
  ],
});

/** A role of the account, with its trust policy. */
export const roleObject = (name: string, assumeRolePolicyDocument: object): PodExecutionRole => ({
  apiVersion: API_VERSION,
  kind: 'PodExecutionRole',
  metadata: { name },
  spec: { arn: `arn:aws:iam::${ACCOUNT}:role/${name}`, assumeRolePolicyDocument },
});

/** Tells the cluster of a role: the first one makes all of them count. */
export const createRole = (client: KubeClient, name: string, policy: object) =>
  client.create(podExecutionRoles, roleObject(name, policy));

export interface TestEks {
  readonly product: TestProduct;
  readonly keys: KeyPair;
  readonly client: EKSClient;
  readonly sts: STSClient;
  stop(): Promise<void>;
}

const SUBNETS = [
  ['private-a', '10.0.80.0/20', 'local-1a', 'private', 'availability-zone'],
  ['private-b', '10.0.16.0/20', 'local-1b', 'private', 'availability-zone'],
  ['public-a', '10.0.32.0/20', 'local-1a', 'public', 'availability-zone'],
  ['edge', '10.0.48.0/20', 'local-1-edge-1a', 'private', 'local-zone'],
  ['outpost', '10.0.64.0/20', 'local-1a', 'private', 'outpost'],
] as const;

/** Starts everything; retries are off, so that tests see what the server answers. */
export const startEks = async (settings: Partial<EksConfig> = {}, maxProfiles?: number): Promise<TestEks> => {
  const product = await startProduct({
    eks: settings,
    ...(maxProfiles === undefined ? {} : { limits: { maxProfiles } }),
  });
  for (const [name, cidr, zone, type, zoneType] of SUBNETS)
    await product.client.create(subnets, {
      apiVersion: 'cloister.dev/v1alpha1',
      kind: 'Subnet',
      metadata: { name },
      spec: { cidr, zone, type, zoneType },
    });
  const keys = await ensureAdminKey(product.client);
  const options = clientOptions(product, keys);
  const client = new EKSClient(options);
  const sts = new STSClient(options);
  await until(() => client.send(new ListClustersCommand({})), {
    limitMs: 30_000,
    what: 'the key to be known to the API',
  });
  return {
    product,
    keys,
    client,
    sts,
    stop: async () => {
      client.destroy();
      sts.destroy();
      await product.stop();
    },
  };
};

export const clientOptions = (product: TestProduct, keys: KeyPair) => ({
  endpoint: product.eks.http,
  region: REGION,
  credentials: keys,
  maxAttempts: 1,
});
