/**
 * What a node needs to speak to the API server: one certificate per usage, asked for by
 * CertificateSigningRequest and signed by the cluster's own signers, and a bound service-account token for
 * kube-proxy; and what it pulls images with. All but that live at most an hour, and all are renewed through the
 * machine's port.
 *
 * Source: Kubernetes documentation "Certificates and Certificate Signing Requests" (signers
 * `kubernetes.io/kube-apiserver-client-kubelet` and `kubernetes.io/kubelet-serving`) and "Managing Service
 * Accounts" (tokens bound to a Node).
 */
import 'reflect-metadata';
import { webcrypto } from 'node:crypto';
import * as x509 from '@peculiar/x509';
import { certificateSigningRequests, nodes, serviceAccounts, type TokenRequest } from '../api/resources.ts';
import type { Credentials } from '../compute/render/seed.ts';
import type { Machine } from '../core/machine/machine.ts';
import { nodeAddresses, nodeNameOf } from '../core/machine/node.ts';
import { until } from '../host/wait.ts';
import type { Context } from './context.ts';
import { imageCredentials, type PullContext } from './image-credentials.ts';

x509.cryptoProvider.set(globalThis.crypto);

/** Where requests go, and where Nodes and profiles are looked up. */
export interface Issuer extends PullContext {
  readonly nodes: Pick<Context['nodes'], 'get'>;
}

/** Lifetime of what is issued, in seconds. */
export const LIFETIME_S = 3600;

const EC = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;

/** The account whose token kube-proxy uses in guests; `deploy/base` binds it to `system:node-proxier`. */
const PROXY_ACCOUNT = { namespace: 'kube-system', name: 'cloister-kube-proxy' };

/** The two certificates of a node, by what they prove. */
const USAGES = {
  client: {
    signer: 'kubernetes.io/kube-apiserver-client-kubelet',
    usages: ['digital signature', 'client auth'],
  },
  serving: {
    signer: 'kubernetes.io/kubelet-serving',
    usages: ['digital signature', 'server auth'],
  },
} as const;

/** Issues everything that a machine's node needs. @throws ApiError, TimeoutError */
export const credentials = async (machine: Machine, context: Issuer): Promise<Credentials> => {
  const [client, serving, proxyToken, images] = await Promise.all([
    certificate('client', machine, context),
    certificate('serving', machine, context),
    token(machine, context),
    imageCredentials(machine, context),
  ]);
  return { client, serving, proxyToken, images };
};

const certificate = async (
  usage: keyof typeof USAGES,
  machine: Machine,
  { client }: Issuer,
): Promise<{ certificate: string; key: string }> => {
  const keys = await webcrypto.subtle.generateKey(EC, true, ['sign', 'verify']);
  const request = await x509.Pkcs10CertificateRequestGenerator.create({
    name: [{ O: ['system:nodes'] }, { CN: [`system:node:${nodeNameOf(machine)}`] }],
    keys,
    signingAlgorithm: EC,
    extensions: usage === 'serving' ? [subjectAlternativeNames(machine)] : [],
  });
  const { signer, usages } = USAGES[usage];
  const { metadata } = await client.create(certificateSigningRequests, {
    apiVersion: 'certificates.k8s.io/v1',
    kind: 'CertificateSigningRequest',
    metadata: { generateName: `${machine.name}-${usage}-` },
    spec: {
      request: Buffer.from(request.toString('pem')).toString('base64'),
      signerName: signer,
      usages: [...usages],
      expirationSeconds: LIFETIME_S,
    },
  });
  const name = metadata?.name ?? '';
  await client.patch(certificateSigningRequests, { name }, approval(machine), {
    type: 'merge',
    subresource: 'approval',
  });
  const issued = await until(
    async () => (await client.get(certificateSigningRequests, { name })).status?.certificate,
    { limitMs: 30_000, everyMs: 200, what: `the signer ${signer} to issue ${name}` },
  );
  return { certificate: Buffer.from(issued, 'base64').toString(), key: await privateKey(keys.privateKey) };
};

const approval = (machine: Machine) => ({
  status: {
    conditions: [
      {
        type: 'Approved',
        status: 'True',
        reason: 'MachineOfCloister',
        message: `the node of ${machine.name}, made for pod ${machine.pod.namespace}/${machine.pod.name}`,
      },
    ],
  },
});

const subjectAlternativeNames = (machine: Machine): x509.SubjectAlternativeNameExtension =>
  new x509.SubjectAlternativeNameExtension(
    nodeAddresses(machine.placement).map(({ type, address }) => ({
      type: type === 'InternalIP' ? ('ip' as const) : ('dns' as const),
      value: address,
    })),
  );

const privateKey = async (key: webcrypto.CryptoKey): Promise<string> =>
  x509.PemConverter.encode(await webcrypto.subtle.exportKey('pkcs8', key), 'PRIVATE KEY');

const token = async (machine: Machine, { client, nodes: known }: Issuer): Promise<string> => {
  const name = nodeNameOf(machine);
  const uid = (known.get(name) ?? (await client.get(nodes, { name }))).metadata?.uid;
  const request: TokenRequest = {
    apiVersion: 'authentication.k8s.io/v1',
    kind: 'TokenRequest',
    spec: {
      audiences: [],
      expirationSeconds: LIFETIME_S,
      boundObjectRef: { kind: 'Node', apiVersion: 'v1', name, ...(uid === undefined ? {} : { uid }) },
    },
  };
  const issued = await client.create(serviceAccounts, request, { subresource: 'token', ...PROXY_ACCOUNT });
  return issued.status?.token ?? '';
};
