/** Certificates of HTTPS listeners, from the Secrets that Ingresses name (Kubernetes documentation, "Ingress", TLS). */
import { createPrivateKey, X509Certificate } from 'node:crypto';
import type { Secret } from 'kubernetes-types/core/v1.js';
import { tenHex } from '../hash.ts';
import type { ObjectMeta } from '../pod.ts';
import { ALB_CERTIFICATE_ARN, ALB_MUTUAL } from './annotations.ts';
import type { StoredIngress } from './claims.ts';
import type { Balancing, Certificate, Problem } from './model.ts';
import { originOf } from './origins.ts';

/** Type of the Secrets that hold a certificate and its key; others are not looked at. */
export const TLS_SECRET_TYPE = 'kubernetes.io/tls';

/** What clients may name, `*.` at its beginning included. */
const HOST = /^(\*\.)?[a-z0-9.-]+$/i;

/** Finds a Secret of that type by `namespace/name`. */
export type Secrets = (key: string) => (Secret & { metadata: ObjectMeta }) | undefined;

const textOf = ({ data }: Secret, key: string): string =>
  Buffer.from(data?.[key] ?? '', 'base64').toString('utf8');

const parsed = <T>(parse: () => T): T | undefined => {
  try {
    return parse();
  } catch {
    return undefined; // whatever is wrong with it, it is none
  }
};

/** Why two texts are no certificate with its key; undefined when they are. */
const faultOf = (certificate: string, key: string): string | undefined => {
  const shown = parsed(() => new X509Certificate(certificate));
  if (shown === undefined) return 'tls.crt holds no certificate in PEM';
  const secret = parsed(() => createPrivateKey(key));
  if (secret === undefined) return 'tls.key holds no private key in PEM, or one with a passphrase';
  return shown.checkPrivateKey(secret)
    ? undefined
    : 'the key in tls.key is not that of the certificate in tls.crt';
};

const notServed = (secret: string, hosts: readonly string[]): string =>
  `Secret ${secret} gives no TLS${hosts.length === 0 ? '' : ` for ${hosts.join(', ')}`}`;

/** The certificates that an Ingress names, and a problem for each that cannot be had; the others serve. */
export const certificatesOf = (
  ingress: StoredIngress,
  secrets: Secrets,
): { readonly certificates: readonly Certificate[]; readonly problems: readonly Problem[] } => {
  const origin = originOf('Ingress', ingress);
  const certificates: Certificate[] = [];
  const problems: Problem[] = [];
  for (const { secretName, hosts: named = [] } of ingress.spec?.tls ?? []) {
    if (!secretName) continue;
    const hosts = named.filter((host) => HOST.test(host));
    if (hosts.length < named.length) {
      const others = JSON.stringify(named.filter((host) => !HOST.test(host)));
      problems.push({
        origin,
        message: `spec.tls[].hosts has ${others}, which are no names of hosts. Remove them`,
      });
      if (hosts.length === 0) continue;
    }
    const key = `${origin.namespace}/${secretName}`;
    const secret = secrets(key);
    if (secret === undefined) {
      const message = `${notServed(key, hosts)}: there is none of type ${TLS_SECRET_TYPE} with this name. Create it, for instance by kubectl create secret tls`;
      problems.push({ origin, message });
      continue;
    }
    const [certificate, privateKey] = [textOf(secret, 'tls.crt'), textOf(secret, 'tls.key')];
    const fault = faultOf(certificate, privateKey);
    if (fault !== undefined) {
      const message = `${notServed(key, hosts)}: ${fault}. Write both into it anew`;
      problems.push({ origin, message });
      continue;
    }
    const pem = `${certificate.trim()}\n${privateKey.trim()}\n`;
    certificates.push({
      name: `${origin.namespace}.${secretName}.${tenHex(pem)}`,
      hosts,
      pem,
      secret: key,
      origin,
    });
  }
  return { certificates, problems };
};

/** The same without some certificates, and without listeners that have none left. */
export const withoutCertificates = (balancing: Balancing, gone: readonly Certificate[]): Balancing => ({
  ...balancing,
  listeners: balancing.listeners.flatMap((listener) => {
    if (listener.kind !== 'https') return listener;
    const certificates = listener.certificates.filter((one) => !gone.includes(one));
    return certificates.length === 0 ? [] : { ...listener, certificates };
  }),
});

/** What to tell of a certificate that the balancer itself refuses. */
export const refusal = ({ origin, secret, hosts }: Certificate): Problem => ({
  origin,
  message: `${notServed(secret, hosts)}: HAProxy refuses its certificate or key, which may be too weak. Write one with a key of at least 2048 bits (RSA) or 256 (EC) into it, signed with SHA-256`,
});

/** Whether an Ingress names Secrets with certificates. */
export const namesCertificates = ({ spec }: StoredIngress): boolean =>
  (spec?.tls ?? []).some(({ secretName }) => Boolean(secretName));

/** Whether an Ingress asks for a certificate of ACM, which nobody here can give. */
export const asksForAcm = ({ metadata }: StoredIngress): boolean =>
  metadata.annotations?.[ALB_CERTIFICATE_ARN] !== undefined;

/** Whether an Ingress asks that clients show certificates. */
export const asksForClientCertificates = ({ metadata }: StoredIngress): boolean =>
  /"verify"/.test(metadata.annotations?.[ALB_MUTUAL] ?? '');

/** What to tell where they are asked for. */
export const noClientCertificates = (ingress: StoredIngress, port: number): Problem => ({
  origin: originOf('Ingress', ingress),
  message: `HTTPS on port ${port} is not served: the annotation ${ALB_MUTUAL} asks for certificates of clients, which the balancers of this cluster do not look at. Let the pods do it behind a Service of type LoadBalancer, or remove the annotation`,
});

/** What to tell where HTTPS is wanted and nobody names a certificate. */
export const noCertificates = (ingress: StoredIngress, port: number): Problem => {
  const why = asksForAcm(ingress)
    ? `the annotation ${ALB_CERTIFICATE_ARN} names a certificate of ACM, which this cluster has no way to`
    : 'no certificate is named';
  return {
    origin: originOf('Ingress', ingress),
    message: `HTTPS on port ${port} is not served: ${why}. Put certificate and key into a Secret of type ${TLS_SECRET_TYPE}, and name it in spec.tls[].secretName`,
  };
};
