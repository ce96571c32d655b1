/** The controller's configuration file: one JSON document, checked whole before anything starts. */
import { readFileSync } from 'node:fs';
import { type Static, Type } from 'typebox';
import { Value } from 'typebox/value';

const Room = Type.Object(
  {
    memoryMiB: Type.Integer({
      minimum: 512,
      description: 'Memory for machines in all; never overcommitted.',
    }),
    milliCpu: Type.Integer({ minimum: 250, description: 'vCPU for machines in all, in thousandths.' }),
  },
  { additionalProperties: false },
);

const Listener = {
  address: Type.String(),
  port: Type.Integer({ minimum: 1, maximum: 65_535 }),
};

const Rate = Type.Object(
  { perSecond: Type.Number({ exclusiveMinimum: 0 }), burst: Type.Integer({ minimum: 1 }) },
  { additionalProperties: false, description: 'So many per second, and at once after a pause.' },
);

const Eks = Type.Object(
  {
    account: Type.String({ pattern: '^[0-9]{12}$' }),
    partition: Type.Optional(Type.String({ pattern: '^aws[a-z-]*$' })),
    http: Type.Optional(
      Type.Object(
        { ...Listener, address: Type.String({ pattern: '^(127\\.[0-9.]+|::1)$' }) },
        { additionalProperties: false, description: 'Plain HTTP, on an address of the loopback only.' },
      ),
    ),
    https: Type.Optional(
      Type.Object(
        { ...Listener, certificate: Type.String(), key: Type.String() },
        { additionalProperties: false, description: 'For pods, and for the token webhook.' },
      ),
    ),
    anonymous: Type.Optional(
      Type.Boolean({ description: 'Let requests without a signature through, by plain HTTP only.' }),
    ),
    kubernetesVersion: Type.String({ pattern: '^[0-9]+\\.[0-9]+$' }),
    endpoint: Type.String({ description: 'URL of the API server as clients reach it.' }),
    serviceCidr: Type.String(),
    issuer: Type.String({ description: 'Issuer of service-account tokens.' }),
    audiences: Type.Optional(Type.Array(Type.String(), { minItems: 1 })),
    oneAtATime: Type.Optional(
      Type.Boolean({
        description: 'At most one profile changes at a time, as in the original. Default true.',
      }),
    ),
    updates: Type.Optional(Type.Boolean({ description: 'Serve UpdateFargateProfile. Default true.' })),
    /** Calls of one key before it is throttled, unless the key says otherwise. */
    rate: Type.Optional(Rate),
  },
  { additionalProperties: false, description: 'The EKS API; left out, it is not served.' },
);

/** Settings of the EKS API. */
export type EksConfig = Static<typeof Eks>;

const Places = Type.Object(
  {
    regions: Type.Optional(Type.Array(Type.String())),
    zones: Type.Optional(Type.Array(Type.String())),
  },
  {
    additionalProperties: false,
    description:
      'Where pods may run. Default: all zones, and all regions but us-gov-east-1 and us-gov-west-1.',
  },
);

const Balancing = Type.Object(
  {
    cidr: Type.String({ description: "The balancers' addresses; the first four are not given out." }),
    namespace: Type.String({ description: 'Network namespace in which all of them are local.' }),
    directory: Type.String({ description: 'Where HAProxy keeps its files.' }),
    program: Type.String({ description: 'Path of HAProxy.' }),
    libraries: Type.Optional(Type.String({ description: 'Folder of libraries that the host lacks.' })),
  },
  {
    additionalProperties: false,
    description: 'Balancers by HAProxy on this host; left out, Services and Ingresses are left to others.',
  },
);

/** Settings of the balancers. */
export type BalancingConfig = Static<typeof Balancing>;

const Schema = Type.Object(
  {
    kubeconfig: Type.String({ description: 'Path of the kubeconfig of user cloister:controller.' }),
    clusterName: Type.String({ minLength: 1, description: 'Names the cluster in provider ids.' }),
    region: Type.String({ minLength: 1 }),
    webhook: Type.Object(
      {
        address: Type.String({ description: 'Where to listen; the API server calls it by URL.' }),
        port: Type.Integer({ minimum: 1, maximum: 65_535 }),
        certificate: Type.String({ description: 'Path of the serving certificate, PEM.' }),
        key: Type.String({ description: 'Path of its key, PEM.' }),
      },
      { additionalProperties: false },
    ),
    cluster: Type.Object(
      {
        server: Type.String({ description: 'URL of the API server as guests reach it.' }),
        certificateAuthority: Type.String({ description: 'Path of the cluster CA, PEM.' }),
        clusterDns: Type.String({ description: 'ClusterIP of the cluster DNS.' }),
        clusterDomain: Type.String(),
        resolver: Type.String({ description: "The network's own resolver, for the nodes themselves." }),
        registries: Type.Array(Type.Object({ host: Type.String(), endpoint: Type.String() }), {
          description: 'Registries reached in another way than by https under their own name.',
        }),
      },
      { additionalProperties: false },
    ),
    provider: Type.Union([
      Type.Object(
        {
          kind: Type.Literal('local'),
          cluster: Type.String({ description: 'Name of the embedded cluster: prefix of its namespaces.' }),
          directory: Type.String({ description: 'Where machine directories are kept.' }),
          router: Type.String({ description: 'Network namespace of the router.' }),
          image: Type.String({ description: 'Directory of the guest image.' }),
          acceleration: Type.Enum(['kvm', 'tcg']),
          capacity: Type.Optional(Room),
        },
        { additionalProperties: false },
      ),
      Type.Object(
        { kind: Type.Literal('fake'), directory: Type.String(), capacity: Room },
        { additionalProperties: false },
      ),
    ]),
    balancing: Type.Optional(Balancing),
    eks: Type.Optional(Eks),
    places: Type.Optional(Places),
    vcpuQuota: Type.Optional(
      Type.Number({ minimum: 0.25, description: 'vCPU of all pods together. Default: no limit.' }),
    ),
    accountBlocked: Type.Optional(
      Type.Boolean({ description: 'Launch no pods at all; those that run go on. Default false.' }),
    ),
    launchRate: Type.Optional(Rate),
    maxProfiles: Type.Optional(
      Type.Integer({ minimum: 1, description: 'Profiles per cluster. Default 10.' }),
    ),
    joinLimitSeconds: Type.Integer({ minimum: 1, description: 'How long a guest may take to join.' }),
    logLevel: Type.Enum(['debug', 'info', 'warn', 'error']),
  },
  { additionalProperties: false },
);

/** What the controller is told. */
export type ControllerConfig = Static<typeof Schema>;

/** Reads the configuration file. @throws Error that names the file and every wrong field */
export const loadConfig = (path: string): ControllerConfig => {
  let value: unknown;
  try {
    value = JSON.parse(readFileSync(path, 'utf8'));
  } catch (cause) {
    throw new Error(`configuration ${path} is no readable JSON: ${(cause as Error).message}`, { cause });
  }
  if (Value.Check(Schema, value)) return value;
  const wrong = Value.Errors(Schema, value).map(
    ({ instancePath, message }) => `${instancePath || '/'}: ${message}`,
  );
  throw new Error(`configuration ${path} is wrong: ${[...wrong].join('; ')}`);
};
