/** Kinds as CustomResourceDefinitions, from the same schemas as their types. */
import { GROUP, VERSION } from '../core/names.ts';
import { fargateProfileKind } from './fargate-profile.ts';
import { flowWatchKind } from './flow-watch.ts';
import type { Kind } from './kind.ts';
import { microVMKind } from './micro-vm.ts';
import { networkKind } from './network.ts';
import { podExecutionRoleKind } from './pod-execution-role.ts';
import { prefixListKind } from './prefix-list.ts';
import { securityGroupKind } from './security-group.ts';
import { securityGroupPolicyKind } from './security-group-policy.ts';
import { subnetKind } from './subnet.ts';

type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

/** All kinds that are installed: those of group cloister.dev, and the one that clients of the original write. */
export const KINDS: readonly Kind[] = [
  fargateProfileKind,
  flowWatchKind,
  microVMKind,
  networkKind,
  podExecutionRoleKind,
  prefixListKind,
  securityGroupKind,
  securityGroupPolicyKind,
  subnetKind,
];

/** `kubectl get cloister` lists the objects of all kinds of our own group. */
const CATEGORY = 'cloister';

/**
 * JSON Schema as TypeBox writes it → structural schema: every node has a type, and records are
 * `additionalProperties` instead of `patternProperties`.
 * Source: Kubernetes documentation "Extend the Kubernetes API with CustomResourceDefinitions".
 */
const structural = (schema: Json): Json => {
  if (Array.isArray(schema)) return schema.map(structural);
  if (typeof schema !== 'object' || schema === null) return schema;
  const entries = Object.entries(schema as Record<string, Json>).map(([key, value]): [string, Json] => {
    if (key === 'patternProperties')
      return ['additionalProperties', structural(Object.values(value ?? {})[0])];
    if (key === 'properties')
      return [key, Object.fromEntries(Object.entries(value ?? {}).map(([k, v]) => [k, structural(v)]))];
    return [key, key === 'items' ? structural(value) : value];
  });
  const result = Object.fromEntries(entries);
  return 'enum' in result && !('type' in result) ? { type: 'string', ...result } : result;
};

/** TypeBox keeps its own marks as hidden members; plain JSON has none. */
const plain = (value: unknown): Json => JSON.parse(JSON.stringify(value)) as Json;

const openApi = (kind: Kind) => ({
  type: 'object',
  description: kind.description,
  ...(kind.specOptional ? {} : { required: ['spec'] }),
  properties: {
    apiVersion: { type: 'string' },
    kind: { type: 'string' },
    metadata: { type: 'object' },
    spec: structural(plain({ description: 'What is wanted.', ...kind.spec })),
    ...(kind.status === undefined
      ? {}
      : {
          status: structural(plain({ description: 'What is, as the controller sees it.', ...kind.status })),
        }),
  },
  ...(kind.rules.length > 0 ? { 'x-kubernetes-validations': plain(kind.rules) } : {}),
});

/** The CustomResourceDefinition (apiextensions.k8s.io/v1) of a kind, with a status subresource if it has one. */
export const definitionOf = (kind: Kind) => {
  const { group = GROUP, version = VERSION, scope = 'Cluster', plural, shortNames } = kind;
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${plural}.${group}` },
    spec: {
      group,
      scope,
      names: {
        kind: kind.kind,
        listKind: `${kind.kind}List`,
        plural,
        singular: kind.kind.toLowerCase(),
        ...(shortNames.length > 0 ? { shortNames } : {}),
        ...(group === GROUP ? { categories: [CATEGORY] } : {}),
      },
      versions: [
        {
          name: version,
          served: true,
          storage: true,
          schema: { openAPIV3Schema: openApi(kind) },
          ...(kind.status === undefined ? {} : { subresources: { status: {} } }),
          additionalPrinterColumns: kind.columns,
        },
      ],
    },
  };
};
