/** `./tool kubeconfig`: the path of an admin kubeconfig. */
import { findCluster } from '../cluster/cluster.ts';
import { locate } from './settings.ts';

/** The command. @throws Error when there is no cluster */
export const kubeconfig = (flags: { readonly name: string }): void => {
  const { name, state } = locate(flags.name);
  process.stdout.write(`${findCluster(name, state).kubeconfig}\n`);
};
