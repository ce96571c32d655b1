/** The repository's door: `./tool COMMAND`. Each command is a file of its own, loaded when it is asked for. */
import { Command, InvalidArgumentError, Option } from 'commander';
import type { BenchFlags } from './bench.ts';
import { type ClusterFlags, DEFAULT_MINOR, DEFAULTS } from './settings.ts';

const nameOption = (): Option => new Option('--name <name>', 'which cluster').default(DEFAULTS.name);

const port = (text: string): number => {
  const value = Number(text);
  if (Number.isInteger(value) && value >= 1 && value <= 65_535) return value;
  throw new InvalidArgumentError('A port is a number from 1 to 65535.');
};

/** Options that choose the programs of a cluster. */
const withPrograms = (command: Command): Command =>
  command
    .option('--kubernetes-version <minor>', 'Kubernetes minor to run', DEFAULT_MINOR)
    .option('--components <dir>', 'use the programs in this folder instead of building them');

const program = new Command('tool')
  .description('Cloister: set up, run, test and check this checkout.')
  .showHelpAfterError('(tool --help lists the commands)')
  .enablePositionalOptions();

withPrograms(program.command('up'))
  .description('install what is missing, start a cluster with the product, and show a pod on its own node')
  .addOption(nameOption())
  .option('--no-nodes', 'without the ordinary node')
  .option('--no-egress', 'closed off from everything outside the cluster')
  .option('--no-demo', 'without the demonstration')
  .option(
    '--api-port <port>',
    'port of the API server on 127.0.0.1 (default: the one it had, or any free one)',
    port,
  )
  .action(async (flags: ClusterFlags & { demo: boolean }) => (await import('./up.ts')).up(flags));

program
  .command('down')
  .description('remove the cluster and everything it made, except the cache')
  .addOption(nameOption())
  .action(async (flags: { name: string }) => (await import('./down.ts')).down(flags));

program
  .command('status')
  .description('tell what runs')
  .addOption(nameOption())
  .action(async (flags: { name: string }) => (await import('./status.ts')).status(flags));

program
  .command('kubeconfig')
  .description('print the path of an admin kubeconfig')
  .addOption(nameOption())
  .action(async (flags: { name: string }) => (await import('./kubeconfig.ts')).kubeconfig(flags));

program
  .command('kubectl')
  .description('run kubectl as administrator, for example: tool kubectl get pods -A')
  .addOption(nameOption())
  .argument('[arguments...]', 'arguments of kubectl')
  .passThroughOptions()
  .allowUnknownOption()
  .helpOption(false)
  .action(async (args: string[], flags: { name: string }) =>
    (await import('./kubectl.ts')).kubectl(flags, args),
  );

program
  .command('aws-env')
  .description('print what points AWS clients at the cluster: eval "$(./tool aws-env)"')
  .addOption(nameOption())
  .action(async (flags: { name: string }) => (await import('./aws-env.ts')).awsEnv(flags));

program
  .command('push')
  .description(
    'put an image (OCI layout, or a tar file of one or of docker save) into the registry of the cluster',
  )
  .addOption(nameOption())
  .argument('<image>', 'tar file or folder')
  .argument('<name:tag>', 'what to call it')
  .action(async (source: string, reference: string, flags: { name: string }) =>
    (await import('./push.ts')).push(flags, source, reference),
  );

withPrograms(program.command('test'))
  .description('run the tests: unit, cluster, network, aws, vm, chaos, folders of src, or single files')
  .argument('[suite...]', 'suites or test files; all without')
  .option('--keep', 'leave the cluster of the tests running', false)
  .action(async (suites: string[], flags: ClusterFlags & { keep: boolean }) =>
    (await import('./test.ts')).test(suites, flags),
  );

const bench = program.command('bench').description('measure, each figure beside a baseline in the same run');

const count = (text: string): number => {
  const value = Number(text);
  if (Number.isInteger(value) && value >= 1) return value;
  throw new InvalidArgumentError('Give a whole number of at least 1.');
};

withPrograms(bench.command('decide'))
  .description('matching, decisions, admission, and our scheduler beside the default one')
  .option('--json <file>', 'write what was measured to this file, too')
  .action(async (flags: ClusterFlags & { json?: string }) =>
    (await import('./bench-script.ts')).benchScript('test/bench/decide.ts', flags),
  );

withPrograms(bench.command('api'))
  .description("signed requests to the EKS API, beside moto's server")
  .option('--json <file>', 'write what was measured to this file, too')
  .action(async (flags: ClusterFlags & { json?: string }) =>
    (await import('./bench-script.ts')).benchScript('test/bench/api.ts', flags),
  );

withPrograms(bench.command('network'))
  .description(
    'a changed security group on 200 machines, and what the packet filter costs connections of guests',
  )
  .option('--json <file>', 'write what was measured to this file, too')
  .action(async (flags: ClusterFlags & { json?: string }) =>
    (await import('./bench-script.ts')).benchScript('test/bench/network.ts', flags),
  );

withPrograms(bench.command('start'))
  .description('cold starts of pods, beside the same guest booted by hand')
  .option('--runs <count>', 'pairs to measure', count, 5)
  .option('--json <file>', 'write the figures to this file')
  .action(async (flags: BenchFlags) => (await import('./bench.ts')).start(flags));

program
  .command('check')
  .description('types, lint, format, unused code, links of documents, generated files')
  .action(async () => (await import('./check.ts')).check());

program
  .command('gen')
  .description('write the generated files')
  .action(async () => (await import('./gen.ts')).gen());

// Leaving by `exit` ends the programs that run for us; whatever is half-made, the next call completes.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(signal, () => process.exit(130));
}

try {
  await program.parseAsync();
} catch (error) {
  process.stderr.write(`tool: ${error instanceof Error ? error.message : String(error)}\n`);
  if (process.env['CLOISTER_DEBUG'] && error instanceof Error) process.stderr.write(`${error.stack}\n`);
  process.exitCode = 1;
}
