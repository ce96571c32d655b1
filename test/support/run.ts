/** What `./tool test` made for this run, and tells by variables: programs and, for the suites `vm` and `chaos`, a cluster. */
import { accessSync, constants } from 'node:fs';
import { join } from 'node:path';

const told = (variable: string): string => {
  const value = process.env[variable];
  if (value) return value;
  throw new Error(
    `${variable} is not set: run tests by ./tool test FILE and benchmarks by ./tool bench, which set it`,
  );
};

/** The folder of the upstream programs. @throws Error when this run has none */
export const componentsFolder = (): string => told('CLOISTER_COMPONENTS');

/** The path of an upstream program. @throws Error when this run has none, or not that one */
export const component = (name: string): string => {
  const path = join(componentsFolder(), name);
  accessSync(path, constants.X_OK);
  return path;
};

/** Where guest images are kept between runs. @throws Error when this run has none */
export const cacheFolder = (): string => told('CLOISTER_TEST_CACHE');

/** The cluster of this run: its name and the folder of its state. @throws Error when this run has none */
export const clusterOfRun = (): { readonly name: string; readonly state: string } => ({
  name: told('CLOISTER_CLUSTER'),
  state: told('CLOISTER_STATE'),
});

/** The administrator's kubeconfig of that cluster. @throws Error when this run has none */
export const kubeconfigOfRun = (): string => told('KUBECONFIG');
