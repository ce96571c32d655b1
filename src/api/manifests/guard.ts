/**
 * The guard of our nodes: nobody but the controller puts a pod on one. The taint alone does not do it, a pod
 * that tolerates everything passes it (spec/fargate.md §5.3).
 */
import { CONTROLLER_USER, NODE_PREFIX } from '../../core/names.ts';

const NAME = 'nodes.cloister.dev';
const GROUP = 'admissionregistration.k8s.io';

const byController = `request.userInfo.username == '${CONTROLLER_USER}'`;

const policy = (
  name: string,
  apiGroups: readonly string[],
  resources: readonly string[],
  validations: readonly { readonly expression: string; readonly message: string }[],
) => [
  {
    apiVersion: `${GROUP}/v1`,
    kind: 'ValidatingAdmissionPolicy',
    metadata: { name },
    spec: {
      failurePolicy: 'Fail',
      matchConstraints: {
        resourceRules: [{ apiGroups, apiVersions: ['v1'], operations: ['CREATE'], resources }],
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
 * Policies (fail-closed) on bindings to our nodes, on pods created with the name of one, and on certificates
 * that our nodes ask for themselves: they get theirs from the controller, and never another node's.
 */
export const guardManifests = (): readonly object[] => [
  ...policy(
    `bindings.${NAME}`,
    [''],
    ['pods/binding', 'bindings'],
    [
      {
        expression: `${byController} || !object.target.name.startsWith('${NODE_PREFIX}')`,
        message: `only ${CONTROLLER_USER} binds pods to nodes whose name starts with ${NODE_PREFIX}`,
      },
    ],
  ),
  ...policy(
    `pods.${NAME}`,
    [''],
    ['pods'],
    [
      {
        expression: `${byController} || !has(object.spec.nodeName) || !object.spec.nodeName.startsWith('${NODE_PREFIX}')`,
        message: `pods cannot be created on nodes whose name starts with ${NODE_PREFIX}; leave nodeName out and let a Fargate profile match`,
      },
    ],
  ),
  ...policy(
    `certificates.${NAME}`,
    ['certificates.k8s.io'],
    ['certificatesigningrequests'],
    [
      {
        expression: `!request.userInfo.username.startsWith('system:node:${NODE_PREFIX}')`,
        message: `nodes whose name starts with ${NODE_PREFIX} cannot request certificates; ${CONTROLLER_USER} requests them`,
      },
    ],
  ),
];
