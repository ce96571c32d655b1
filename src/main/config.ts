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
