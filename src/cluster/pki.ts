/**
 * The cluster's own certificate authorities, keys and certificates, as files readable by root only. What is
 * there is kept; what is missing, half-written or about to expire is made again, and with an authority
 * everything it signed.
 */
import 'reflect-metadata';
import { webcrypto } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as x509 from '@peculiar/x509';
import {
  API_SERVER,
  CLUSTER_DOMAIN,
  CONTROL_ADDRESS,
  KUBERNETES_SERVICE_ADDRESS,
  NODE_ADDRESS,
  NODE_NAME,
} from './plan.ts';

x509.cryptoProvider.set(webcrypto);

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;
const DAY_MS = 86_400_000;
const AUTHORITY_DAYS = 3650;
const LEAF_DAYS = 365;
/** A certificate that ends sooner than this is renewed by the next start. */
const RENEW_DAYS = 30;

/** One certificate of the cluster. */
interface Leaf {
  readonly authority: 'ca' | 'front-proxy-ca';
  readonly subject: string;
  readonly use: readonly ('client' | 'server')[];
  readonly addresses?: readonly string[];
  readonly names?: readonly string[];
}

/** File names (without suffix) and contents; subjects as Kubernetes' RBAC defaults expect them. */
export const LEAVES = {
  apiserver: {
    authority: 'ca',
    subject: 'CN=kube-apiserver',
    use: ['server'],
    addresses: [CONTROL_ADDRESS, KUBERNETES_SERVICE_ADDRESS, '127.0.0.1'],
    names: [
      'localhost',
      'kubernetes',
      'kubernetes.default',
      'kubernetes.default.svc',
      `kubernetes.default.svc.${CLUSTER_DOMAIN}`,
    ],
  },
  'kubelet-client': { authority: 'ca', subject: 'CN=cloister:kubelet-client', use: ['client'] },
  admin: { authority: 'ca', subject: 'O=system:masters, CN=admin', use: ['client'] },
  'controller-manager': { authority: 'ca', subject: 'CN=system:kube-controller-manager', use: ['client'] },
  scheduler: { authority: 'ca', subject: 'CN=system:kube-scheduler', use: ['client'] },
  'front-proxy-client': { authority: 'front-proxy-ca', subject: 'CN=front-proxy-client', use: ['client'] },
  product: { authority: 'ca', subject: 'CN=cloister:controller', use: ['client'] },
  webhook: {
    authority: 'ca',
    subject: 'CN=cloister-webhook',
    use: ['server'],
    addresses: [CONTROL_ADDRESS],
  },
  node: {
    authority: 'ca',
    subject: `O=system:nodes, CN=system:node:${NODE_NAME}`,
    use: ['client', 'server'],
    addresses: [NODE_ADDRESS],
    names: [NODE_NAME],
  },
  'kube-proxy': { authority: 'ca', subject: 'CN=system:kube-proxy', use: ['client'] },
} as const satisfies Record<string, Leaf>;

/** Name of a certificate of `LEAVES`. */
export type LeafName = keyof typeof LEAVES;

/** Users of the API server that get a kubeconfig. */
export type KubeconfigUser = Exclude<
  LeafName,
  'apiserver' | 'kubelet-client' | 'front-proxy-client' | 'webhook'
>;

/** Writes a file so that it is never seen half-written. */
const writePrivate = (path: string, content: string): void => {
  writeFileSync(`${path}.new`, content, { mode: 0o600 });
  renameSync(`${path}.new`, path);
};

const pem = (label: string, der: ArrayBuffer): string =>
  `-----BEGIN ${label}-----\n${Buffer.from(der)
    .toString('base64')
    .replace(/.{64}(?=.)/g, '$&\n')}\n-----END ${label}-----\n`;

const generateKeys = async (): Promise<webcrypto.CryptoKeyPair> =>
  (await webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify'])) as webcrypto.CryptoKeyPair;

const privatePem = async (keys: webcrypto.CryptoKeyPair): Promise<string> =>
  pem('PRIVATE KEY', await webcrypto.subtle.exportKey('pkcs8', keys.privateKey));

const serialNumber = (): string => Buffer.from(webcrypto.getRandomValues(new Uint8Array(16))).toString('hex');

/** From an hour ago, so that a clock that is a little behind does not reject a new certificate. */
const validity = (days: number) => ({
  notBefore: new Date(Date.now() - 3_600_000),
  notAfter: new Date(Date.now() + days * DAY_MS),
});

const lasts = (path: string): boolean => {
  if (!existsSync(`${path}.crt`) || !existsSync(`${path}.key`)) return false;
  const certificate = new x509.X509Certificate(readFileSync(`${path}.crt`, 'utf8'));
  return certificate.notAfter.getTime() > Date.now() + RENEW_DAYS * DAY_MS;
};

interface Authority {
  readonly certificate: x509.X509Certificate;
  readonly key: webcrypto.CryptoKey;
  readonly renewed: boolean;
}

const readAuthority = async (path: string): Promise<Authority> => {
  const der = Buffer.from(readFileSync(`${path}.key`, 'utf8').replace(/-----[^-]+-----|\s/g, ''), 'base64');
  const key = await webcrypto.subtle.importKey('pkcs8', der, ALGORITHM, false, ['sign']);
  const certificate = new x509.X509Certificate(readFileSync(`${path}.crt`, 'utf8'));
  return { certificate, key, renewed: false };
};

const ensureAuthority = async (folder: string, name: string): Promise<Authority> => {
  const path = join(folder, name);
  if (lasts(path)) return readAuthority(path);
  const keys = await generateKeys();
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: serialNumber(),
    name: `CN=cloister-${name}`,
    ...validity(AUTHORITY_DAYS),
    signingAlgorithm: ALGORITHM,
    keys,
    extensions: [
      new x509.BasicConstraintsExtension(true, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  writePrivate(`${path}.key`, await privatePem(keys));
  writePrivate(`${path}.crt`, `${certificate.toString('pem')}\n`);
  return { certificate, key: keys.privateKey, renewed: true };
};

const extensionsOf = async (leaf: Leaf, authority: Authority): Promise<x509.Extension[]> => {
  const usage = { client: x509.ExtendedKeyUsage.clientAuth, server: x509.ExtendedKeyUsage.serverAuth };
  const alternatives = [
    ...(leaf.addresses ?? []).map((value) => ({ type: 'ip' as const, value })),
    ...(leaf.names ?? []).map((value) => ({ type: 'dns' as const, value })),
  ];
  return [
    new x509.BasicConstraintsExtension(false, undefined, true),
    new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
    new x509.ExtendedKeyUsageExtension(leaf.use.map((use) => usage[use])),
    await x509.AuthorityKeyIdentifierExtension.create(authority.certificate.publicKey),
    ...(alternatives.length === 0 ? [] : [new x509.SubjectAlternativeNameExtension(alternatives)]),
  ];
};

const ensureLeaf = async (folder: string, name: string, leaf: Leaf, authority: Authority): Promise<void> => {
  const path = join(folder, name);
  if (lasts(path) && !authority.renewed) return;
  const keys = await generateKeys();
  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber: serialNumber(),
    subject: leaf.subject,
    issuer: authority.certificate.subject,
    ...validity(LEAF_DAYS),
    signingAlgorithm: ALGORITHM,
    publicKey: keys.publicKey,
    signingKey: authority.key,
    extensions: await extensionsOf(leaf, authority),
  });
  writePrivate(`${path}.key`, await privatePem(keys));
  writePrivate(`${path}.crt`, `${certificate.toString('pem')}\n`);
};

/** The key pair that signs service-account tokens: `sa.key` and `sa.pub`. */
const ensureServiceAccountKey = async (folder: string): Promise<void> => {
  if (existsSync(join(folder, 'sa.key')) && existsSync(join(folder, 'sa.pub'))) return;
  const keys = await generateKeys();
  const spki = await webcrypto.subtle.exportKey('spki', keys.publicKey);
  writePrivate(join(folder, 'sa.key'), await privatePem(keys));
  writePrivate(join(folder, 'sa.pub'), pem('PUBLIC KEY', spki));
};

/**
 * Makes what is missing of `ca`, `front-proxy-ca`, `sa` and all of `LEAVES` in the folder: `NAME.crt` and
 * `NAME.key`, PEM, mode 0600.
 */
export const ensurePki = async (folder: string): Promise<void> => {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const authorities = {
    ca: await ensureAuthority(folder, 'ca'),
    'front-proxy-ca': await ensureAuthority(folder, 'front-proxy-ca'),
  };
  await ensureServiceAccountKey(folder);
  for (const [name, leaf] of Object.entries<Leaf>(LEAVES)) {
    await ensureLeaf(folder, name, leaf, authorities[leaf.authority]);
  }
};

/**
 * A kubeconfig with everything inside, as YAML text.
 * @param server where this user reaches the API server, by default from inside the cluster's network
 */
export const kubeconfig = (folder: string, user: KubeconfigUser, server: string = API_SERVER): string => {
  const data = (file: string): string => readFileSync(join(folder, file)).toString('base64');
  return `apiVersion: v1
kind: Config
clusters:
  - name: cloister
    cluster:
      server: ${server}
      certificate-authority-data: ${data('ca.crt')}
users:
  - name: ${user}
    user:
      client-certificate-data: ${data(`${user}.crt`)}
      client-key-data: ${data(`${user}.key`)}
contexts:
  - name: cloister
    context:
      cluster: cloister
      user: ${user}
current-context: cloister
`;
};

/** Writes a kubeconfig, readable by root only. */
export const writeKubeconfig = (path: string, folder: string, user: KubeconfigUser, server?: string): void =>
  writePrivate(path, kubeconfig(folder, user, server));
