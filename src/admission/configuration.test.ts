import { describe, expect, it } from 'vitest';
import { mutatingConfiguration } from './configuration.ts';

const NAME = '0500-amazon-eks-fargate-mutation.amazonaws.com';

describe('the mutating configuration (spec §2.1)', () => {
  const { metadata, webhooks } = mutatingConfiguration({ url: 'https://127.0.0.1:23445' });

  it('has the attributes of the original, but for two', () => {
    expect(metadata.name).toBe(NAME);
    expect(webhooks[0]).toEqual({
      name: NAME,
      clientConfig: { url: 'https://127.0.0.1:23445/mutate' },
      failurePolicy: 'Ignore',
      matchPolicy: 'Equivalent',
      objectSelector: {},
      reinvocationPolicy: 'Never',
      rules: [
        { apiGroups: ['*'], apiVersions: ['*'], operations: ['CREATE'], resources: ['pods'], scope: '*' },
      ],
      sideEffects: 'None',
      timeoutSeconds: 5,
      // v1beta1 in the original; Kubernetes serves v1 alone since 1.22.
      admissionReviewVersions: ['v1'],
      // Empty in the original, which does not run in the cluster; here it never waits for itself.
      namespaceSelector: {
        matchExpressions: [
          { key: 'kubernetes.io/metadata.name', operator: 'NotIn', values: ['cloister-system'] },
        ],
      },
    });
  });

  it('has a second webhook, which reads the label of the first', () => {
    expect(webhooks.map(({ name }) => name)).toEqual([NAME, 'mpod.vpc.k8s.aws']);
  });

  it.each(['pod-identity-webhook', 'vpc-resource-mutating-webhook'])('is called before %s', (other) => {
    expect([other, metadata.name].toSorted()).toEqual([metadata.name, other]);
  });
});
