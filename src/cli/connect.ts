/** Which cluster a command talks to. */
import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';
import { DEFAULT_NAME, places } from '../cluster/plan.ts';
import { stateFolder } from '../host/folders.ts';
import { KubeClient } from '../kube/client.ts';
import { loadKubeconfig } from '../kube/kubeconfig.ts';

/** The kubeconfig that is meant: the one named, `KUBECONFIG`, the embedded cluster's, then kubectl's default. */
const kubeconfigPath = (named: string | undefined, environment: NodeJS.ProcessEnv): string | undefined =>
  named ??
  [
    ...(environment['KUBECONFIG'] ?? '').split(delimiter),
    places(stateFolder(DEFAULT_NAME, environment)).adminKubeconfig,
    join(homedir(), '.kube', 'config'),
  ].find((path) => path !== '' && existsSync(path));

/**
 * A client for the cluster that the user means; the caller closes it.
 * @throws Error when there is no kubeconfig, or it cannot be used
 */
export const connect = (
  named: string | undefined,
  environment: NodeJS.ProcessEnv = process.env,
): KubeClient => {
  const path = kubeconfigPath(named, environment);
  if (path === undefined)
    throw new Error('there is no kubeconfig: name one with --kubeconfig or KUBECONFIG, or run `./tool up`');
  return new KubeClient(loadKubeconfig(path));
};
