/**
 * The guard of our nodes: nobody but the controller puts a pod on one. The taint alone does not do it, a pod
 * that tolerates everything passes it (spec/fargate.md §5.3). And of what all of them rely on: their network, and
 * that a pod stays as large as its machine (§4.3).
 */

import {
  COMPUTE_TYPE,
  CONTROLLER_USER,
  MICROVM_ANNOTATION,
  NODE_PREFIX,
  GROUP as OUR_GROUP,
  SCHEDULER,
  VERSION,
} from '../../core/names.ts';
import { NETWORK } from '../../core/net/network.ts';

const NAME = 'nodes.cloister.dev';
const GROUP = 'admissionregistration.k8s.io';

const byController = `request.userInfo.username == '${CONTROLLER_USER}'`;
const byOurNode = `request.userInfo.username.startsWith('system:node:${NODE_PREFIX}')`;

interface What {
  readonly apiGroups: readonly string[];
  readonly apiVersions: readonly string[];
  readonly operations: readonly ('CREATE' | 'UPDATE' | 'DELETE')[];
  readonly resources: readonly string[];
}

const creationOf = (apiGroup: string, ...resources: readonly string[]): What => ({
  apiGroups: [apiGroup],
  apiVersions: ['v1'],
  operations: ['CREATE'],
  resources,
});

const policy = (
  name: string,
  what: What,
  validations: readonly { readonly expression: string; readonly message: string }[],
) => [
  {
    apiVersion: `${GROUP}/v1`,
    kind: 'ValidatingAdmissionPolicy',
    metadata: { name },
    spec: {
      failurePolicy: 'Fail',
      matchConstraints: {
        resourceRules: [what],
      },
      validations: validations.map((validation) => ({ ...validation, reason: 'Forbidden' })),
    },
  },
  {
    apiVersion: `${GROUP}/v1`,
    kind: 'ValidatingAdmissionPolicyBinding',
    metadata: { name },
    spec: { policyName: name, validationActions: ['Deny'] },
  },
];

/**
 * What of a Node tells us that it is one of ours, of which machine, and that it can go. The node authorizer lets nodes
 * write all of it: a Node that outlived its machine would hold its address, and keep another pod from starting there.
 */
const machineOf = (object: string): string =>
  [
    `${object}.metadata.?annotations[?'${MICROVM_ANNOTATION}'].orValue('')`,
    `${object}.metadata.?labels[?'${COMPUTE_TYPE}'].orValue('')`,
  ].join(" + ' ' + ");

const finalizersOf = (object: string): string => `${object}.metadata.?finalizers.orValue([])`;

/**
 * Policies (fail-closed) on bindings to our nodes, on pods created with the name of one, on certificates that our
 * nodes ask for themselves: they get theirs from the controller, and never another node's; and on what they say of
 * themselves. And on the deletion of the Network: without it every machine that starts is closed for ever. And on
 * resizing: the pod would say one size, and its machine and `CapacityProvisioned` another.
 */
export const guardManifests = (): readonly object[] => [
  ...policy(`bindings.${NAME}`, creationOf('', 'pods/binding', 'bindings'), [
    {
      expression: `${byController} || !object.target.name.startsWith('${NODE_PREFIX}')`,
      message: `only ${CONTROLLER_USER} binds pods to nodes whose name starts with ${NODE_PREFIX}`,
    },
  ]),
  ...policy(`pods.${NAME}`, creationOf('', 'pods'), [
    {
      expression: `${byController} || !has(object.spec.nodeName) || !object.spec.nodeName.startsWith('${NODE_PREFIX}')`,
      message: `pods cannot be created on nodes whose name starts with ${NODE_PREFIX}; leave nodeName out and let a Fargate profile match`,
    },
  ]),
  ...policy(`certificates.${NAME}`, creationOf('certificates.k8s.io', 'certificatesigningrequests'), [
    {
      expression: `!${byOurNode}`,
      message: `nodes whose name starts with ${NODE_PREFIX} cannot request certificates; ${CONTROLLER_USER} requests them`,
    },
  ]),
  ...policy(`registrations.${NAME}`, creationOf('', 'nodes'), [
    {
      expression: `!${byOurNode}`,
      message: `nodes whose name starts with ${NODE_PREFIX} do not register themselves; ${CONTROLLER_USER} does`,
    },
  ]),
  ...policy(
    `identities.${NAME}`,
    { apiGroups: [''], apiVersions: ['v1'], operations: ['UPDATE'], resources: ['nodes', 'nodes/status'] },
    [
      {
        expression: `!${byOurNode} || (${machineOf('object')} == ${machineOf('oldObject')} && ${finalizersOf('object')} == ${finalizersOf('oldObject')})`,
        message: `nodes whose name starts with ${NODE_PREFIX} say of which machine they are what ${CONTROLLER_USER} wrote`,
      },
    ],
  ),
  ...policy(
    `networks.${OUR_GROUP}`,
    { apiGroups: [OUR_GROUP], apiVersions: [VERSION], operations: ['DELETE'], resources: ['networks'] },
    [
      {
        expression: `oldObject.metadata.name != '${NETWORK}'`,
        message: `all machines are in Network ${NETWORK}: it can be changed and not deleted`,
      },
    ],
  ),
  ...policy(
    `resizes.${NAME}`,
    { apiGroups: [''], apiVersions: ['v1'], operations: ['UPDATE'], resources: ['pods/resize'] },
    [
      {
        expression: `!has(object.spec.schedulerName) || object.spec.schedulerName != '${SCHEDULER}'`,
        message: 'pods on Fargate cannot be resized in place; make the pod anew with other requests',
      },
    ],
  ),
];
