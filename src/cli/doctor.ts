/** `cloister doctor`: what is wrong with the cluster, and what to do about it. */
import { fargateProfiles, pods } from '../api/resources.ts';
import { DEFAULT_NAME, namespaces } from '../cluster/plan.ts';
import { readRecord } from '../cluster/record.ts';
import { uplinkName } from '../compute/render/router.ts';
import { type Finding, findingsOf } from '../core/doctor/findings.ts';
import { API_VERSION, SCHEDULER } from '../core/names.ts';
import { ExecError, exec } from '../host/exec.ts';
import { stateFolder } from '../host/folders.ts';
import { ApiError, type KubeClient } from '../kube/client.ts';
import { connect } from './connect.ts';
import { formatOf } from './output.ts';
import { liveSurroundings } from './surroundings.ts';

/** Options, as commander gives them. */
export interface DoctorFlags {
  readonly output: string;
  readonly kubeconfig?: string;
}

/** A profile that is never stored: its dry run goes through a webhook that is fail-closed. */
const PROBE = {
  apiVersion: API_VERSION,
  kind: 'FargateProfile',
  metadata: { name: 'doctor-probe' },
  spec: { selectors: [{ namespace: 'doctor-probe' }] },
} as const;

/** Whether the webhooks answer; undefined when this user may not try. */
const webhooksAnswer = async (client: KubeClient): Promise<boolean | undefined> => {
  try {
    await client.create(fargateProfiles, PROBE, { dryRun: true });
    return true;
  } catch (cause) {
    if (!(cause instanceof ApiError)) throw cause;
    // RBAC refuses before webhooks are called, and so do they: neither says that they are away.
    return cause.status >= 500 ? false : undefined;
  }
};

const IPTABLES_LIMIT_MS = 5_000;

/**
 * The uplink of the embedded cluster on this host, if the host's own firewall drops what is forwarded and nobody
 * has made an exception for it. Docker sets that policy (docs.docker.com, "Packet filtering and firewalls").
 */
const droppedUplink = async (): Promise<string | undefined> => {
  if (process.getuid?.() !== 0 || readRecord(stateFolder(DEFAULT_NAME))?.egress !== true) return undefined;
  const uplink = uplinkName(namespaces(DEFAULT_NAME).router);
  try {
    const rules = await exec('iptables', ['-w', '-S', 'FORWARD'], { limitMs: IPTABLES_LIMIT_MS });
    const drops = rules.includes('-P FORWARD DROP');
    return drops && !rules.includes(`-i ${uplink} -j ACCEPT`) ? uplink : undefined;
  } catch (cause) {
    if (cause instanceof ExecError) return undefined; // no iptables here, so no such policy either
    throw cause;
  }
};

const examine = async (client: KubeClient): Promise<readonly Finding[]> => {
  const [near, own, answers, dropped] = await Promise.all([
    liveSurroundings(client),
    client.list(pods, { fieldSelector: `spec.schedulerName=${SCHEDULER}` }),
    webhooksAnswer(client),
    droppedUplink(),
  ]);
  return findingsOf({
    ...near,
    network: near.network,
    groupExists: near.groupExists ?? (() => true),
    lacks: near.groups?.lacks ?? (() => []),
    pods: own,
    webhooksAnswer: answers,
    droppedUplink: dropped,
  });
};

const textOf = ({ code, about, problem, remedy }: Finding): string =>
  `${about} (${code})\n  ${problem}\n  → ${remedy}\n`;

/** The command: prints findings and sets the exit code, 1 when there are any. */
export const doctor = async (flags: DoctorFlags): Promise<void> => {
  const format = formatOf(flags.output);
  const client = connect(flags.kubeconfig);
  try {
    const findings = await examine(client);
    const text = findings.length === 0 ? 'nothing is wrong\n' : findings.map(textOf).join('');
    process.stdout.write(format === 'json' ? `${JSON.stringify(findings, null, 2)}\n` : text);
    if (findings.length > 0) process.exitCode = 1;
  } finally {
    await client.close();
  }
};
