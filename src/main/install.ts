/** Puts the product's own objects into a cluster. Safe to repeat; run with an administrator's rights. */
import { installManifests } from '../admission/manifests.ts';
import { certificateReader, ingressClass } from '../api/manifests/balancing.ts';
import { ingressClasses } from '../api/resources.ts';
import { applyManifests, createOnce } from '../kube/apply.ts';
import type { KubeClient } from '../kube/client.ts';

/** Where the API server finds the webhooks. */
export interface InstallOptions {
  readonly client: KubeClient;
  /** Base URL of the admission server as the API server reaches it, without a final slash. */
  readonly webhookUrl: string;
  /** PEM of the CA that signed its certificate. */
  readonly webhookCa: string;
}

/** Applies CRDs, access rules, policies and webhook configurations, in an order in which each can stand. */
export const installProduct = async ({ client, webhookUrl, webhookCa }: InstallOptions): Promise<void> => {
  await applyManifests(client, installManifests({ url: webhookUrl, caBundle: webhookCa }), 'cloister');
};

/**
 * Adds what balancers need: the right to read certificates, and the class of their Ingresses. A class `alb` that is
 * there already may be that of the original's controller, and stays as it is. Safe to repeat.
 */
export const installBalancing = async (client: KubeClient): Promise<void> => {
  await applyManifests(client, certificateReader(), 'cloister');
  await createOnce(client, ingressClasses, ingressClass());
};
