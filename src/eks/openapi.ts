/** The OpenAPI document, made from the routes and their schemas. */
import swagger from '@fastify/swagger';
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import { fastify } from 'fastify';
import { ERROR_TYPES, statusOf } from '../core/eks/errors.ts';
import { clusterRoutes } from './clusters.ts';
import type { EksContext } from './context.ts';
import { entryRoutes } from './entries.ts';
import type { EksInstance } from './instance.ts';
import { profileRoutes } from './profile-routes.ts';
import { tagRoutes } from './tags.ts';
import { validatorCompiler } from './validate.ts';

/** Where the document is served, without a signature. */
const PATH = '/openapi.json';

const errors = ERROR_TYPES.map((type) => `- ${statusOf(type)} \`${type}\``).join('\n');

/** Parameters of the path as the document names them: the ARN is a rest of the path, and there is one cluster. */
const pathParameters = (schema: unknown, cluster: string): unknown => {
  const { properties = {}, required } = (schema ?? {}) as {
    readonly properties?: Readonly<Record<string, object>>;
    readonly required?: readonly string[];
  };
  const { '*': resourceArn, name, ...others } = properties;
  return {
    type: 'object',
    properties: {
      ...(name === undefined ? {} : { name: { ...name, enum: [cluster] } }),
      ...others,
      ...(resourceArn === undefined ? {} : { resourceArn }),
    },
    required: (required ?? []).map((one) => (one === '*' ? 'resourceArn' : one)),
  };
};

/** Has the routes described that are added from now on. */
export const describeApi = async (server: EksInstance, cluster: string): Promise<void> => {
  await server.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Cloister: the EKS API for Fargate profiles',
        version: '2017-11-01',
        description: `Requests are signed with Signature Version 4 for service \`eks\`. Error types:\n\n${errors}`,
      },
      components: {
        securitySchemes: {
          sigv4: { type: 'apiKey', in: 'header', name: 'Authorization', description: 'AWS4-HMAC-SHA256' },
        },
      },
      security: [{ sigv4: [] }],
    },
    hideUntagged: false,
    transform: ({ schema, url, route }) => ({
      // Routes without an operation are not of this API: STS, health, the document itself.
      schema:
        schema?.operationId === undefined
          ? { ...schema, hide: true }
          : { ...schema, ...(schema.params ? { params: pathParameters(schema.params, cluster) } : {}) },
      url: route.url === '/tags/*' ? '/tags/{resourceArn}' : url,
    }),
  });
  server.get(PATH, async () => server.swagger());
};

/** The document of a cluster's API without the API: no route is ever asked, so none needs its ports. */
export const openApiDocument = async (cluster: string): Promise<object> => {
  const server = fastify().withTypeProvider<TypeBoxTypeProvider>().setValidatorCompiler(validatorCompiler);
  const context = { cluster: { name: cluster }, settings: { updates: true } } as EksContext;
  const services = { takeTurn: unasked, wrote: unasked };
  await describeApi(server, cluster);
  profileRoutes(server, context, services);
  clusterRoutes(server, context);
  entryRoutes(server, context);
  tagRoutes(server, context, services);
  await server.ready();
  const document = server.swagger();
  await server.close();
  return document;
};

const unasked = (): never => {
  throw new Error('this server only describes itself');
};
