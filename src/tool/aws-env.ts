/** `./tool aws-env`: what points AWS clients of this machine at an embedded cluster. */
import { findCluster } from '../cluster/cluster.ts';
import { REGION } from '../cluster/plan.ts';
import { ensureAdminKey } from '../eks/access.ts';
import { KubeClient } from '../kube/client.ts';
import { loadKubeconfig } from '../kube/kubeconfig.ts';
import { locate } from './settings.ts';

/** Values are of characters that no shell takes for its own. */
const line = ([name, value]: readonly [string, string]): string => `export ${name}=${value}\n`;

/**
 * The command: prints `export` lines, and makes the administrator's key pair when there is none.
 * @throws Error when there is no cluster, or it was started before it had an EKS API
 */
export const awsEnv = async (flags: { readonly name: string }): Promise<void> => {
  const { name, state } = locate(flags.name);
  const { kubeconfig, record } = findCluster(name, state);
  const port = record.ports['eks'];
  if (port === undefined)
    throw new Error(
      `the cluster ${name} has no EKS API: run \`./tool down\` and \`./tool up\` to start it with one`,
    );
  const client = new KubeClient(loadKubeconfig(kubeconfig));
  try {
    const { accessKeyId, secretAccessKey } = await ensureAdminKey(client);
    const endpoint = `http://127.0.0.1:${port}`;
    const variables = {
      AWS_ENDPOINT_URL_EKS: endpoint,
      AWS_ENDPOINT_URL_STS: endpoint,
      AWS_REGION: REGION,
      AWS_DEFAULT_REGION: REGION,
      AWS_ACCESS_KEY_ID: accessKeyId,
      AWS_SECRET_ACCESS_KEY: secretAccessKey,
    };
    process.stdout.write(Object.entries(variables).map(line).join(''));
  } finally {
    await client.close();
  }
};
