/** `./tool status`: what of a cluster runs. */
import { table } from '../cli/output.ts';
import { places } from '../cluster/plan.ts';
import { settingsOf } from '../cluster/record.ts';
import { type ClusterStatus, clusterStatus } from '../cluster/status.ts';
import { locate } from './settings.ts';

const rowsOf = (status: ClusterStatus): readonly (readonly string[])[] => {
  const state = (pid: number | undefined): readonly string[] =>
    pid === undefined ? ['stopped', ''] : ['running', `pid ${pid}`];
  const open = status.programs.some(({ name, pid }) => name === 'door' && pid !== undefined);
  return [
    ['WHAT', 'NAME', 'STATE', 'DETAIL'],
    ...status.programs.map(({ name, pid }) => ['program', name, ...state(pid)]),
    ...status.machines.map(({ name, pid }) => ['machine', name, ...state(pid)]),
    ...Object.entries(status.record?.ports ?? {}).map(([name, port]) => [
      'port',
      name,
      open ? 'open' : 'closed',
      `127.0.0.1:${port}`,
    ]),
    ...status.namespaces.map((name) => ['network namespace', name, 'exists', '']),
  ];
};

/** The command. */
export const status = (flags: { readonly name: string }): void => {
  const { name, state } = locate(flags.name);
  const found = clusterStatus({ name, state });
  const { record } = found;
  if (record === undefined && found.namespaces.length === 0) {
    process.stdout.write(`There is no cluster ${name}: start it with \`./tool up\`.\n`);
    return;
  }
  const head =
    record === undefined
      ? `Remains of a cluster ${name} without its state folder: remove them with \`./tool down\`.`
      : `Cluster ${name}: ${settingsOf(record).join(', ')}; kubeconfig ${places(state).adminKubeconfig}`;
  process.stdout.write(`${head}

${table(rowsOf(found))}`);
};
