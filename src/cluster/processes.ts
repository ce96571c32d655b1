/** The programs of the control plane and their argument lists and configuration: pure functions. */
import { join } from 'node:path';
import {
  API_PORT,
  CONTROL_ADDRESS,
  EKS_PORT,
  ISSUER,
  places,
  REGION,
  REGISTRY_DOOR_PORT,
  REGISTRY_NAME,
  REGISTRY_PORT,
  RESOLVER_PORT,
  SERVICES_CIDR,
} from './plan.ts';

/** One program of the control plane. */
export interface Part {
  readonly name: string;
  readonly program: string;
  readonly args: readonly string[];
}

/** What argument lists depend on. */
export interface Inputs {
  /** State folder of the cluster. */
  readonly state: string;
  /** Folder of the built programs. */
  readonly components: string;
}

const ETCD = 'http://127.0.0.1:2379';

/** etcd listens on the loopback of NAME-control alone: only programs in that namespace can reach it. */
export const etcd = ({ state, components }: Inputs): Part => ({
  name: 'etcd',
  program: join(components, 'etcd'),
  args: [
    '--name=cloister',
    `--data-dir=${places(state).etcd}`,
    `--listen-client-urls=${ETCD}`,
    `--advertise-client-urls=${ETCD}`,
    '--listen-peer-urls=http://127.0.0.1:2380',
    '--initial-advertise-peer-urls=http://127.0.0.1:2380',
    '--initial-cluster=cloister=http://127.0.0.1:2380',
    '--log-level=warn',
  ],
});

/** The audit log has one line per finished write, so that writes can be counted by who makes them. */
export const AUDIT_POLICY = `apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
omitManagedFields: true
rules:
  - level: None
    verbs: [get, list, watch]
  - level: Metadata
`;

/** Asks the product about tokens that the API server does not know (Kubernetes documentation, "Webhook Token Authentication"). */
export const authenticatorConfig = (state: string): string => `apiVersion: v1
kind: Config
clusters:
  - name: product
    cluster:
      server: https://${CONTROL_ADDRESS}:${EKS_PORT}/authenticate
      certificate-authority: ${join(places(state).pki, 'ca.crt')}
users: [{name: kube-apiserver, user: {}}]
contexts: [{name: product, context: {cluster: product, user: kube-apiserver}}]
current-context: product
`;

/** kube-apiserver; the certificates are those of `pki.ts`. */
export const apiServer = ({ state, components }: Inputs): Part => {
  const pki = (file: string): string => join(places(state).pki, file);
  return {
    name: 'kube-apiserver',
    program: join(components, 'kube-apiserver'),
    args: [
      `--advertise-address=${CONTROL_ADDRESS}`,
      `--bind-address=${CONTROL_ADDRESS}`,
      `--secure-port=${API_PORT}`,
      `--etcd-servers=${ETCD}`,
      `--service-cluster-ip-range=${SERVICES_CIDR}`,
      '--allow-privileged=true',
      '--authorization-mode=Node,RBAC',
      '--enable-admission-plugins=NodeRestriction',
      `--client-ca-file=${pki('ca.crt')}`,
      `--tls-cert-file=${pki('apiserver.crt')}`,
      `--tls-private-key-file=${pki('apiserver.key')}`,
      `--kubelet-certificate-authority=${pki('ca.crt')}`,
      `--kubelet-client-certificate=${pki('kubelet-client.crt')}`,
      `--kubelet-client-key=${pki('kubelet-client.key')}`,
      '--kubelet-preferred-address-types=InternalIP',
      `--service-account-issuer=${ISSUER}`,
      `--authentication-token-webhook-config-file=${places(state).authenticator}`,
      '--authentication-token-webhook-version=v1',
      `--service-account-key-file=${pki('sa.pub')}`,
      `--service-account-signing-key-file=${pki('sa.key')}`,
      // The control plane runs no kube-proxy: aggregated API servers are called at their pods' addresses.
      '--enable-aggregator-routing=true',
      `--requestheader-client-ca-file=${pki('front-proxy-ca.crt')}`,
      '--requestheader-allowed-names=front-proxy-client',
      '--requestheader-username-headers=X-Remote-User',
      '--requestheader-group-headers=X-Remote-Group',
      '--requestheader-extra-headers-prefix=X-Remote-Extra-',
      `--proxy-client-cert-file=${pki('front-proxy-client.crt')}`,
      `--proxy-client-key-file=${pki('front-proxy-client.key')}`,
      `--audit-policy-file=${join(places(state).config, 'audit-policy.yaml')}`,
      `--audit-log-path=${places(state).auditLog}`,
      '--audit-log-maxsize=500',
      '--audit-log-maxbackup=1',
      '--profiling=false',
    ],
  };
};

/** Flags by which a controller reaches the API server and lets it decide who may ask the controller. */
const asClient = (config: string): readonly string[] => [
  `--kubeconfig=${config}`,
  `--authentication-kubeconfig=${config}`,
  `--authorization-kubeconfig=${config}`,
  '--bind-address=127.0.0.1',
  // There is one of each: an election would only delay every start by its lease.
  '--leader-elect=false',
  '--profiling=false',
];

/** kube-controller-manager; it signs certificate requests once somebody has approved them. */
export const controllerManager = ({ state, components }: Inputs): Part => {
  const pki = (file: string): string => join(places(state).pki, file);
  return {
    name: 'kube-controller-manager',
    program: join(components, 'kube-controller-manager'),
    args: [
      ...asClient(join(places(state).config, 'controller-manager.conf')),
      '--use-service-account-credentials=true',
      // It signs two certificates for each pod; the default of 20 requests a second would limit starts.
      '--kube-api-qps=200',
      '--kube-api-burst=400',
      `--service-account-private-key-file=${pki('sa.key')}`,
      `--root-ca-file=${pki('ca.crt')}`,
      `--cluster-signing-cert-file=${pki('ca.crt')}`,
      `--cluster-signing-key-file=${pki('ca.key')}`,
    ],
  };
};

/** The default kube-scheduler. */
export const scheduler = ({ state, components }: Inputs): Part => ({
  name: 'kube-scheduler',
  program: join(components, 'kube-scheduler'),
  args: [...asClient(join(places(state).config, 'scheduler.conf'))],
});

/**
 * The two processes of Debian's docker-registry, over the same images: one at the address that every node knows as
 * `registry.cloister.internal`, from which anybody pulls, and one behind the door, to push.
 */
export const REGISTRIES = ['registry', 'registry-push'] as const;
type Registry = (typeof REGISTRIES)[number];

/** One of them. */
export const registry = (name: Registry, { state }: Inputs, program: string): Part => ({
  name,
  program,
  args: ['serve', join(places(state).config, `${name}.yaml`)],
});

/** Its configuration, for docker-registry 2.8. */
export const registryConfig = (name: Registry, state: string): string => {
  const [storage, address] = {
    registry: [
      'maintenance: {uploadpurging: {enabled: false}, readonly: {enabled: true}}',
      `${CONTROL_ADDRESS}:${REGISTRY_PORT}`,
    ],
    'registry-push': ['delete: {enabled: true}', `127.0.0.1:${REGISTRY_DOOR_PORT}`],
  }[name];
  return `version: 0.1
log: {level: warn, accesslog: {disabled: true}}
storage:
  filesystem: {rootdirectory: ${places(state).registry}}
  ${storage}
http:
  addr: ${address}
`;
};

/** CoreDNS as the resolver of the VPC. */
export const resolver = ({ state, components }: Inputs): Part => ({
  name: 'vpc-resolver',
  program: join(components, 'coredns'),
  args: [`-conf=${join(places(state).config, 'resolver.Corefile')}`],
});

/**
 * The resolver's Corefile: the registry, private names of addresses (AWS "DNS attributes for your VPC"), and
 * the host's own resolvers for everything else; without those every other name does not exist.
 */
export const resolverConfig = (forwarders: readonly string[]): string => {
  const zone = `${REGION}.compute.internal`;
  const name = `^(?:fargate-)?ip-([0-9]+)-([0-9]+)-([0-9]+)-([0-9]+)\\.${zone.replaceAll('.', '\\.')}\\.$`;
  const rest =
    forwarders.length === 0
      ? '    template ANY ANY . {\n        rcode NXDOMAIN\n    }'
      : `    forward . ${forwarders.join(' ')}`;
  return `.:${RESOLVER_PORT} {
    bind ${CONTROL_ADDRESS}
    errors
    template IN A ${REGISTRY_NAME} {
        answer "{{ .Name }} 60 IN A ${CONTROL_ADDRESS}"
    }
    template IN A ${zone} {
        match "${name}"
        answer "{{ .Name }} 60 IN A {{ index .Match 1 }}.{{ index .Match 2 }}.{{ index .Match 3 }}.{{ index .Match 4 }}"
    }
    template IN ANY ${REGISTRY_NAME} ${zone} {
        rcode NOERROR
    }
    cache 30
${rest}
}
`;
};

/**
 * Name servers of a resolv.conf that can be reached from another network namespace: IPv4, not on a loopback.
 * @param text a file as resolv.conf(5) describes it
 */
export const reachableResolvers = (text: string): readonly string[] =>
  text
    .split('\n')
    .map((line) => line.match(/^\s*nameserver\s+(\d+\.\d+\.\d+\.\d+)\s*$/)?.[1])
    .filter((address): address is string => address !== undefined && !address.startsWith('127.'));
