/** Which parts of a container's security context are refused (spec/fargate.md §3.2). */
import type { Container } from '../pod.ts';
import type { Policy } from './policy.ts';

/** One item of the clause, and the field of the security context that it is about. */
export interface RefusedField {
  readonly text: string;
  readonly field: 'capabilities/add' | 'allowPrivilegeEscalation' | 'privileged';
}

/** What may be added: the container runtime's default set. Compared exactly, so `CAP_CHOWN` is refused. */
const ADDABLE: ReadonlySet<string> = new Set([
  'AUDIT_WRITE',
  'CHOWN',
  'DAC_OVERRIDE',
  'FOWNER',
  'FSETID',
  'KILL',
  'MKNOD',
  'NET_BIND_SERVICE',
  'NET_RAW',
  'SETFCAP',
  'SETGID',
  'SETPCAP',
  'SETUID',
  'SYS_CHROOT',
]);

/** What is refused in one container, in the order of the original: capabilities, escalation, privileged. */
export const refusedInContainer = (
  container: Pick<Container, 'securityContext'>,
  policy: Policy,
): readonly RefusedField[] => {
  const context = container.securityContext;
  if (!context) return [];
  const refused: RefusedField[] = [];
  const added = policy.capabilities
    ? []
    : (context.capabilities?.add ?? []).filter((capability) => !ADDABLE.has(capability));
  if (added.length > 0)
    refused.push({ text: `Capabilities added: ${added.join(', ')}`, field: 'capabilities/add' });
  if (policy.privileged) return refused;
  if (context.allowPrivilegeEscalation === true)
    refused.push({ text: 'AllowPrivilegeEscalation', field: 'allowPrivilegeEscalation' });
  if (context.privileged === true) refused.push({ text: 'Privileged', field: 'privileged' });
  return refused;
};
