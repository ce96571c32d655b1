/**
 * The product's command line: `cloister COMMAND`, or `kubectl cloister COMMAND` when it is installed as
 * `kubectl-cloister`. Each command is a file of its own, loaded when it is asked for.
 */
import { readFileSync } from 'node:fs';
import { Command } from 'commander';
import { allowClosedReader } from './output.ts';

const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
  readonly version: string;
};

const program = new Command('cloister')
  .description('Cloister: profiles, what would become of pods, and why pods are where they are')
  .version(version)
  .showHelpAfterError('(cloister --help lists the commands)')
  // 1 is an answer of `plan` and `doctor`; a command that was not understood gives none.
  .exitOverride(({ exitCode }) => process.exit(exitCode === 0 ? 0 : 2));

/** The option that says which cluster. */
const KUBECONFIG = [
  '--kubeconfig <file>',
  'which cluster (default: what KUBECONFIG names, the cluster of `./tool up`, ~/.kube/config)',
] as const;

const collect = (file: string, files: readonly string[] = []): readonly string[] => [...files, file];

program
  .command('plan')
  .description('tell what would become of the pods of a manifest; exit code 1 when some would not run')
  .requiredOption('-f, --filename <file>', 'manifest, or - for standard input; may be repeated', collect)
  .option('-n, --namespace <namespace>', 'namespace of objects that name none', 'default')
  .option('--profiles <file>', 'plan offline, with the profiles (and subnets, claims, …) of this file')
  .option('--rates <file>', 'prices per hour: currency, vcpuHour, gbHour, storageGbHour')
  .option('-o, --output <format>', 'text, or json: one object per pod template', 'text')
  .option(...KUBECONFIG)
  .action(async (flags) => (await import('./plan.ts')).plan(flags));

program
  .command('why')
  .description('tell why a pod is where it is, and what it waits for')
  .argument('<pod>', 'pod/NAME')
  .option('-n, --namespace <namespace>', 'its namespace', 'default')
  .option('-o, --output <format>', 'text or json', 'text')
  .option(...KUBECONFIG)
  .action(async (pod: string, flags) => (await import('./why.ts')).why(pod, flags));

program
  .command('flows')
  .description('show the connections of a pod, accepted and refused, and why they were refused')
  .argument('<pod>', 'pod/NAME')
  .option('-n, --namespace <namespace>', 'its namespace', 'default')
  .option('-f, --follow', 'go on with what comes, until interrupted or the pod is gone', false)
  .option('-o, --output <format>', 'text, or json: one object a line', 'text')
  .option(...KUBECONFIG)
  .action(async (pod: string, flags) => (await import('./flows.ts')).flows(pod, flags));

program
  .command('doctor')
  .description('list what is wrong with the cluster, each with what to do; exit code 1 with findings')
  .option('-o, --output <format>', 'text or json', 'text')
  .option(...KUBECONFIG)
  .action(async (flags) => (await import('./doctor.ts')).doctor(flags));

const profile = program.command('profile').description('manage Fargate profiles');
const withOutput = (command: Command): Command =>
  command.option('-o, --output <format>', 'table, json or yaml', 'table').option(...KUBECONFIG);
const withParts = (command: Command): Command =>
  command
    .option('-s, --selector <selector>', 'NAMESPACE or NAMESPACE:KEY=VALUE,…; may be repeated', collect)
    .option('--subnet <name>', 'a private subnet; may be repeated; all of them without', collect)
    .option('--role <arn>', 'pod execution role: arn:aws:iam::ACCOUNT:role/NAME');

withOutput(withParts(profile.command('create')))
  .description('create a profile and wait until it is ACTIVE')
  .argument('<name>')
  .option('--tag <tag>', 'KEY=VALUE; may be repeated', collect)
  .option('--no-wait', 'do not wait')
  .action(async (name: string, flags) => (await import('./profile.ts')).createCommand(name, flags));

withOutput(profile.command('list'))
  .description('list all profiles')
  .action(async (flags) => (await import('./profile.ts')).listCommand(flags));

withOutput(profile.command('describe'))
  .description('tell everything about a profile')
  .argument('<name>')
  .action(async (name: string, flags) => (await import('./profile.ts')).describeCommand(name, flags));

withOutput(withParts(profile.command('update')))
  .description('change selectors, subnets or role of a profile, and wait until they are live')
  .argument('<name>')
  .option('--no-wait', 'do not wait')
  .action(async (name: string, flags) => (await import('./profile.ts')).updateCommand(name, flags));

withOutput(profile.command('delete'))
  .description('delete a profile with the pods that run under it, and wait until they are gone')
  .argument('<name>')
  .option('--no-wait', 'do not wait')
  .action(async (name: string, flags) => (await import('./profile.ts')).deleteCommand(name, flags));

allowClosedReader(process.stdout);

try {
  await program.parseAsync();
} catch (error) {
  process.stderr.write(`cloister: ${error instanceof Error ? error.message : String(error)}\n`);
  if (process.env['CLOISTER_DEBUG'] && error instanceof Error) process.stderr.write(`${error.stack}\n`);
  process.exitCode = 2;
}
