/** `cloister plan`: what would become of the pods of a manifest. */
import { pods } from '../api/resources.ts';
import { type StartTimes, startTimes } from '../core/plan/history.ts';
import { type Plan, plan as planOne } from '../core/plan/plan.ts';
import { pricePerHour, type Rates } from '../core/plan/price.ts';
import { ManifestError, type Workload, workloadOf } from '../core/plan/workload.ts';
import type { Pod } from '../core/pod.ts';
import { QuantityError } from '../core/sizing/quantity.ts';
import { ApiError, type KubeClient } from '../kube/client.ts';
import { connect } from './connect.ts';
import { type Document, readDocuments } from './documents.ts';
import { formatOf } from './output.ts';
import { type PlanLine, planText } from './plan-text.ts';
import { readRates } from './rates.ts';
import { type Known, liveSurroundings } from './surroundings.ts';
import { toldSurroundings, withManifest } from './told-surroundings.ts';

/** Options, as commander gives them. */
export interface PlanFlags {
  readonly filename: readonly string[];
  readonly namespace: string;
  readonly profiles?: string;
  readonly rates?: string;
  readonly output: string;
  readonly kubeconfig?: string;
}

/** What the API server makes of a workload's pod, or why that is not known. */
type Stored = { readonly pod: Pod } | { readonly note: string } | { readonly invalid: string };

/**
 * The pod as the API server would store it: defaults, limit ranges, runtime classes and other webhooks
 * included. Who schedules it is left as submitted, for the engine decides that itself.
 */
const stored = async (client: KubeClient, { pod }: Workload): Promise<Stored> => {
  const { name: _, ownerReferences: __, ...metadata } = pod.metadata;
  const { schedulerName, nodeName } = pod.spec;
  try {
    const made = await client.create(
      pods,
      { ...pod, metadata: { ...metadata, generateName: 'plan-' } },
      { dryRun: true },
    );
    const { schedulerName: ___, nodeName: ____, ...spec } = made.spec;
    const own = { ...(schedulerName && { schedulerName }), ...(nodeName && { nodeName }) };
    const annotations = made.metadata.annotations;
    return {
      pod: { metadata: { ...pod.metadata, ...(annotations && { annotations }) }, spec: { ...spec, ...own } },
    };
  } catch (cause) {
    if (!(cause instanceof ApiError)) throw cause;
    return cause.status === 422
      ? { invalid: cause.message }
      : { note: `what the API server fills in is not known: ${cause.message}` };
  }
};

const lineOf = (result: Plan, rates: Rates | undefined, start: StartTimes | undefined): PlanLine => ({
  ...result,
  price:
    rates === undefined || result.provisioned === null
      ? null
      : { currency: rates.currency, perHour: pricePerHour(result.provisioned, rates) },
  start: start ?? null,
});

const withNotes = (result: Plan, ...notes: readonly string[]): Plan => ({
  ...result,
  notes: [...result.notes, ...notes],
});

/** The plan, silent on subnets that only stand for those of the cluster. */
const planAmong = (workload: Workload, near: Known): Plan => {
  const result = planOne(workload, near);
  return withNotes(near.subnetsKnown ? result : { ...result, subnets: [] }, ...near.notes);
};

const planWorkload = async (
  workload: Workload,
  near: Known,
  client: KubeClient | undefined,
): Promise<Plan> => {
  const known = client === undefined ? undefined : await stored(client, workload);
  if (known === undefined) return planAmong(workload, near);
  if ('pod' in known) {
    const { ownerReferences } = workload.pod.metadata;
    const metadata = { ...known.pod.metadata, ...(ownerReferences && { ownerReferences }) };
    return planAmong({ ...workload, pod: { ...known.pod, metadata } }, near);
  }
  const result = planAmong(workload, near);
  // What refuses the pod is told already, in the plan's own words.
  if ('note' in known && result.message !== null && known.note.endsWith(result.message)) return result;
  return 'invalid' in known
    ? { ...withNotes(result, `the API server refuses it: ${known.invalid}`), runs: false }
    : withNotes(result, known.note);
};

/** A malformed quantity does not say where it stands. */
const nameWorkload =
  ({ kind, name }: Workload) =>
  (cause: unknown): never => {
    if (cause instanceof QuantityError) throw new ManifestError(`${kind} ${name}`, cause.message);
    throw cause;
  };

/**
 * Plans every workload of the documents in order: profiles count for what follows them, and planned machines
 * take room from what follows them.
 * @param client asked what it would store, where there is one
 * @throws ManifestError
 */
export const planAll = async (
  documents: readonly Document[],
  near: Known,
  namespace: string,
  client: KubeClient | undefined,
): Promise<readonly Plan[]> => {
  const plans: Plan[] = [];
  for (const [i, document] of documents.entries()) {
    const workload = workloadOf(document, namespace);
    if (workload === undefined) continue;
    const known = withManifest(near, documents.slice(0, i), namespace);
    plans.push(await planWorkload(workload, known, client).catch(nameWorkload(workload)));
  }
  return plans;
};

/** The command: prints plans and sets the exit code, 1 when a pod would not run. */
export const plan = async (flags: PlanFlags): Promise<void> => {
  const format = formatOf(flags.output);
  const documents = flags.filename.flatMap(readDocuments);
  const rates = flags.rates === undefined ? undefined : readRates(flags.rates);
  const client = flags.profiles === undefined ? connect(flags.kubeconfig) : undefined;
  try {
    const near =
      client === undefined
        ? toldSurroundings(readDocuments(flags.profiles ?? ''))
        : await liveSurroundings(client);
    const start = startTimes(near.microVMs.map(({ status }) => status));
    const plans = await planAll(documents, near, flags.namespace, client);
    if (plans.length === 0) throw new Error(`no object of ${flags.filename.join(', ')} makes pods`);
    const lines = plans.map((one) => lineOf(one, rates, start));
    process.stdout.write(
      format === 'json' ? `${JSON.stringify(lines, null, 2)}\n` : lines.map(planText).join('\n'),
    );
    if (lines.some(({ runs }) => !runs)) process.exitCode = 1;
  } finally {
    await client?.close();
  }
};
