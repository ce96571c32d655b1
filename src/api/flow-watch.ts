/** FlowWatch: somebody follows the connections of a pod, for as long as they renew it. */
import { type Static, Type } from 'typebox';
import type { ShownFlow } from '../core/flows/follow.ts';
import { API_VERSION } from '../core/names.ts';
import type { ObjectMeta } from '../core/pod.ts';
import { type Frozen, type Kind, rules } from './kind.ts';
import { Flow } from './micro-vm.ts';

const Spec = Type.Object({
  pod: Type.String({
    description: 'Name of a pod of the same namespace that has a machine.',
    ...rules({ rule: 'self == oldSelf', message: 'a FlowWatch stays with its pod' }),
  }),
  renewTime: Type.String({
    format: 'date-time',
    description: 'Changed every now and then by who follows; unchanged for a minute, the object is removed.',
  }),
});

const Status = Type.Object({
  flows: Type.Optional(
    Type.Array(
      Type.Object({
        ...Flow,
        seq: Type.Integer({ description: 'Counts them; one that is left out was too many.' }),
        time: Type.String({ format: 'date-time', description: 'When the last of them began, or was tried.' }),
        verdict: Type.Enum(['accepted', 'refused']),
        packets: Type.Integer({ description: 'First packets since the one before about the same.' }),
        by: Type.Optional(Type.String({ description: 'The counter of what refused it.' })),
        reason: Type.Optional(Type.String({ description: 'Why it was refused.' })),
      }),
      { description: 'The latest connections, oldest first.' },
    ),
  ),
});

/** Such an object as it is stored. */
export interface FlowWatch {
  readonly apiVersion: typeof API_VERSION;
  readonly kind: 'FlowWatch';
  readonly metadata: ObjectMeta;
  readonly spec: Frozen<Static<typeof Spec>>;
  readonly status?: { readonly flows?: readonly ShownFlow[] };
}

/** The kind, for the CRD. */
export const flowWatchKind: Kind = {
  scope: 'Namespaced',
  kind: 'FlowWatch',
  plural: 'flowwatches',
  shortNames: ['fw'],
  description: "Asks for a pod's connections, accepted and refused; `cloister flows` makes and removes it.",
  spec: Spec,
  status: Status,
  columns: [
    { name: 'Pod', type: 'string', jsonPath: '.spec.pod' },
    { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp' },
  ],
  rules: [],
};
