/** The smallest edits that make a refused pod one that Fargate runs, as JSON patches of the pod. */
import { type PatchOperation, pointerSegment, valueAt } from '../json-patch.ts';
import type { Container, Pod } from '../pod.ts';
import { requestsOf } from '../sizing/requests.ts';
import type { Policy } from '../validation/policy.ts';
import { refusedInContainer } from '../validation/security.ts';
import type { Violation } from '../validation/validate.ts';
import { shrink } from './shrink.ts';

/** One edit: what it puts right, and how. */
export interface Edit {
  /** The clause or text that goes away with it. */
  readonly clause: string;
  /** Pointers start at the pod. */
  readonly patch: readonly PatchOperation[];
  /** What the pod loses by it, where that is not plain. */
  readonly caution?: string;
  /** It can go away without an edit, as a claim that is not bound yet. */
  readonly transient?: true;
}

const remove = (pod: Pod, path: string): readonly PatchOperation[] =>
  valueAt(pod, path) === undefined ? [] : [{ op: 'remove', path }];

interface Placed {
  readonly container: Container;
  readonly at: string;
}

const containersOf = (pod: Pod): readonly Placed[] => [
  ...(pod.spec.initContainers ?? []).map((container, i) => ({ container, at: `/spec/initContainers/${i}` })),
  ...pod.spec.containers.map((container, i) => ({ container, at: `/spec/containers/${i}` })),
];

const ADDABLE_WITH_PREFIX = /^CAP_(?=.)/;

/** Whether a capability may be added once its needless prefix is gone. */
const passesWithoutPrefix = (capability: string): boolean =>
  ADDABLE_WITH_PREFIX.test(capability) &&
  refusedInContainer(
    { securityContext: { capabilities: { add: [capability.replace(ADDABLE_WITH_PREFIX, '')] } } },
    {},
  ).length === 0;

/** Refused capabilities go one by one, from the last, so that positions stay right; all of them go at once. */
const capabilities = ({ container, at }: Placed): readonly PatchOperation[] => {
  const list = container.securityContext?.capabilities?.add ?? [];
  const path = `${at}/securityContext/capabilities/add`;
  const refused = list
    .map((capability, i) => ({ capability, i }))
    .filter(({ capability }) => refusedWith({ capabilities: { add: [capability] } }));
  const gone = refused.filter(({ capability }) => !passesWithoutPrefix(capability));
  if (gone.length === list.length) return [{ op: 'remove', path }];
  return refused.toReversed().map(({ capability, i }): PatchOperation => {
    const value = capability.replace(ADDABLE_WITH_PREFIX, '');
    return passesWithoutPrefix(capability)
      ? { op: 'replace', path: `${path}/${i}`, value }
      : { op: 'remove', path: `${path}/${i}` };
  });
};

const refusedWith = (securityContext: NonNullable<Container['securityContext']>): boolean =>
  refusedInContainer({ securityContext }, {}).length > 0;

const security = (pod: Pod, policy: Policy): readonly PatchOperation[] =>
  containersOf(pod).flatMap((placed) =>
    refusedInContainer(placed.container, policy).flatMap(({ field }) =>
      field === 'capabilities/add'
        ? capabilities(placed)
        : remove(pod, `${placed.at}/securityContext/${field}`),
    ),
  );

/** A volume becomes an empty one: that is all which the pod's own machine could give in its place. */
const volumes = (pod: Pod, violation: Violation): Edit => {
  const claims = violation.at.filter((path) => valueAt(pod, `${path}/persistentVolumeClaim`) !== undefined);
  const others = violation.at.filter((path) => !claims.includes(path) && valueAt(pod, path) !== undefined);
  const patch = others.map((path): PatchOperation => {
    const name = valueAt(pod, `${path}/name`);
    return { op: 'replace', path, value: { name, emptyDir: {} } };
  });
  const names = others.map((path) => String(valueAt(pod, `${path}/name`)));
  const caution = `${names.join(', ')}: empty when the pod starts, gone when it ends`;
  return { clause: violation.clause, patch, ...(names.length > 0 ? { caution } : {}) };
};

/** Everything of the resources that no size has. */
const resources = (pod: Pod): readonly PatchOperation[] => {
  const names = requestsOf(pod).unsupported;
  const lists = [...containersOf(pod).map(({ at }) => `${at}/resources`), '/spec/resources'].flatMap((at) =>
    ['limits', 'requests'].flatMap((list) =>
      names.flatMap((name) => remove(pod, `${at}/${list}/${pointerSegment(name)}`)),
    ),
  );
  const claims = containersOf(pod).flatMap(({ at }) => remove(pod, `${at}/resources/claims`));
  return [...lists, ...claims, ...remove(pod, '/spec/resourceClaims')];
};

/** Ports that are on the host because the pod is in its network go with that. */
const ports = (pod: Pod, violation: Violation, policy: Policy): readonly PatchOperation[] | undefined => {
  const written = plain(pod, violation);
  if (written.length > 0 || pod.spec.hostNetwork !== true) return written;
  return policy.hostNamespaces ? remove(pod, '/spec/hostNetwork') : undefined;
};

const plain = (pod: Pod, { at }: Violation): readonly PatchOperation[] =>
  at.flatMap((path) => remove(pod, path));

const editOf = (pod: Pod, violation: Violation, policy: Policy): Edit | undefined => {
  const { clause, topic, transient } = violation;
  switch (topic) {
    case 'volumes':
      return { ...volumes(pod, violation), ...(transient ? { transient } : {}) };
    case 'security':
      return { clause, patch: security(pod, policy) };
    case 'resources':
      return { clause, patch: resources(pod) };
    case 'ports': {
      const patch = ports(pod, violation, policy);
      return patch && { clause, patch };
    }
    case 'owner':
    case 'scheduler':
      return { clause, patch: [] };
    default:
      return { clause, patch: plain(pod, violation) };
  }
};

/**
 * One edit for each violation that another does not take with it, and one for a size that is too large. An edit without operations says that no
 * change to the pod helps.
 * @param pod the pod as it is written: only what stands there can be edited
 */
export const editsFor = (
  pod: Pod,
  violations: readonly Violation[],
  policy: Policy,
  tooLarge: string | undefined,
): readonly Edit[] => [
  ...violations.flatMap((violation) => editOf(pod, violation, policy) ?? []),
  ...(tooLarge === undefined ? [] : [{ clause: tooLarge, patch: shrink(pod) }]),
];
