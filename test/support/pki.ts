/** A certificate authority for one test run, with what an API server and its administrator need. */
import 'reflect-metadata';
import { generateKeyPairSync, webcrypto } from 'node:crypto';
import * as x509 from '@peculiar/x509';

x509.cryptoProvider.set(webcrypto);

const EC = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;
const HOUR_MS = 3_600_000;

/** Certificate and private key, PEM. */
export interface Identity {
  readonly certificate: string;
  readonly key: string;
}

export interface TestPki {
  readonly ca: string;
  readonly caKey: string;
  /** Serves 127.0.0.1. */
  readonly server: Identity;
  /** A member of `system:masters`, who may do everything. */
  readonly admin: Identity;
  /** The product's own user, `cloister:controller`. */
  readonly controller: Identity;
  /** The node `fargate-ip-1`, who may do everything that no policy refuses. */
  readonly node: Identity;
}

/** Makes a new authority and the two certificates, valid for a day. */
export const makePki = async (): Promise<TestPki> => {
  const keys = await newKeys();
  const ca = await x509.X509CertificateGenerator.createSelfSigned({
    name: 'CN=test-authority',
    keys,
    signingAlgorithm: EC,
    ...validity(),
    extensions: [new x509.BasicConstraintsExtension(true, undefined, true)],
  });
  const issue = async (subject: string, usage: string, addresses: readonly string[]): Promise<Identity> => {
    const own = await newKeys();
    const certificate = await x509.X509CertificateGenerator.create({
      subject,
      issuer: ca.subject,
      publicKey: own.publicKey,
      signingKey: keys.privateKey,
      signingAlgorithm: EC,
      ...validity(),
      extensions: [
        new x509.ExtendedKeyUsageExtension([usage]),
        ...(addresses.length === 0
          ? []
          : [new x509.SubjectAlternativeNameExtension(addresses.map((value) => ({ type: 'ip', value })))]),
      ],
    });
    return { certificate: certificate.toString('pem'), key: await privateKey(own) };
  };
  return {
    ca: ca.toString('pem'),
    caKey: await privateKey(keys),
    server: await issue('CN=kube-apiserver', x509.ExtendedKeyUsage.serverAuth, ['127.0.0.1']),
    controller: await issue('CN=cloister:controller', x509.ExtendedKeyUsage.clientAuth, []),
    node: await issue('O=system:masters, CN=system:node:fargate-ip-1', x509.ExtendedKeyUsage.clientAuth, []),
    admin: await issue('O=system:masters, CN=test-admin', x509.ExtendedKeyUsage.clientAuth, []),
  };
};

/** RSA with a key that is too short to be taken today. */
export const WEAK = {
  name: 'RSASSA-PKCS1-v1_5',
  hash: 'SHA-256',
  publicExponent: new Uint8Array([1, 0, 1]),
  modulusLength: 1024,
};

/** A self-signed certificate for the names of hosts, the first of which is its subject. */
export const makeServing = async (
  hosts: readonly [string, ...string[]],
  algorithm: typeof EC | typeof WEAK = EC,
): Promise<Identity> => {
  const keys = await newKeys(algorithm);
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    name: `CN=${hosts[0]}`,
    keys,
    signingAlgorithm: algorithm,
    ...validity(),
    extensions: [new x509.SubjectAlternativeNameExtension(hosts.map((value) => ({ type: 'dns', value })))],
  });
  return { certificate: certificate.toString('pem'), key: await privateKey(keys) };
};

/** A key for signing service-account tokens: API servers read EC keys in the form SEC 1 only. */
export const makeSigningKey = (): string =>
  generateKeyPairSync('ec', {
    namedCurve: 'P-256',
    privateKeyEncoding: { type: 'sec1', format: 'pem' },
    publicKeyEncoding: { type: 'spki', format: 'pem' },
  }).privateKey;

const newKeys = (algorithm: typeof EC | typeof WEAK = EC): Promise<webcrypto.CryptoKeyPair> =>
  webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);

const privateKey = async (keys: webcrypto.CryptoKeyPair): Promise<string> =>
  x509.PemConverter.encode(await webcrypto.subtle.exportKey('pkcs8', keys.privateKey), 'PRIVATE KEY');

const validity = () => ({
  notBefore: new Date(Date.now() - HOUR_MS),
  notAfter: new Date(Date.now() + 24 * HOUR_MS),
});
