/** Which cluster a command talks to. */
import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';
import { DEFAULT_NAME, places } from '../cluster/plan.ts';
import { stateFolder } from '../host/folders.ts';
import { KubeClient } from '../kube/client.ts';
import { loadKubeconfig } from '../kube/kubeconfig.ts';

/**
 * The kubeconfig that is meant: the one named; else what `KUBECONFIG` names, which is never passed over for another
 * cluster; else the embedded cluster's, then kubectl's default.
 * @throws Error when there is none, or nothing of what `KUBECONFIG` names
 */
export const kubeconfigPath = (named: string | undefined, environment: NodeJS.ProcessEnv): string => {
  if (named !== undefined) return named;
  const asked = (environment['KUBECONFIG'] ?? '').split(delimiter).filter((path) => path !== '');
  const usual = [
    places(stateFolder(DEFAULT_NAME, environment)).adminKubeconfig,
    join(homedir(), '.kube', 'config'),
  ];
  const path = (asked.length > 0 ? asked : usual).find((one) => existsSync(one));
  if (path !== undefined) return path;
  throw new Error(
    asked.length > 0
      ? `KUBECONFIG names no file that is there: ${asked.join(', ')}; correct it, or unset it`
      : 'there is no kubeconfig: name one with --kubeconfig or KUBECONFIG, or run `./tool up`',
  );
};

/**
 * A client for the cluster that the user means; the caller closes it.
 * @throws Error when there is no kubeconfig, or it cannot be used
 */
export const connect = (
  named: string | undefined,
  environment: NodeJS.ProcessEnv = process.env,
): KubeClient => new KubeClient(loadKubeconfig(kubeconfigPath(named, environment)));
