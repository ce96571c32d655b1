/** The cluster's DNS: CoreDNS as an ordinary Deployment, as EKS installs it (spec/fargate.md §5.6). */
import type { Entry, Run } from './image.ts';
import { CLUSTER_DOMAIN, DNS_SERVICE_ADDRESS, REGISTRY } from './plan.ts';

/** Repository of the image in the cluster's registry. */
export const COREDNS_REPOSITORY = 'cloister/coredns';

/** What the image consists of. @param program path of the built, static CoreDNS */
export const corednsImage = (program: string): { readonly entries: readonly Entry[]; readonly run: Run } => ({
  entries: [{ type: 'copy', path: '/coredns', from: program }],
  run: { Entrypoint: ['/coredns'] },
});

const COREFILE = `.:53 {
    errors
    health {
        lameduck 5s
    }
    ready
    kubernetes ${CLUSTER_DOMAIN} in-addr.arpa ip6.arpa {
        pods insecure
        fallthrough in-addr.arpa ip6.arpa
        ttl 30
    }
    prometheus :9153
    forward . /etc/resolv.conf {
        max_concurrent 1000
    }
    cache 30
    loop
    reload
    loadbalance
}
`;

const indent = (text: string, by: string): string => text.replace(/^(?=.)/gm, by);

/**
 * The manifests: what CoreDNS may read, its configuration, the Deployment with the annotation that keeps it
 * off Fargate until somebody removes it, and the service with the address that every pod asks.
 */
export const corednsManifests = (version: string): string => `apiVersion: v1
kind: ServiceAccount
metadata: {name: coredns, namespace: kube-system}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: system:coredns}
rules:
  - {apiGroups: [""], resources: [endpoints, services, pods, namespaces], verbs: [list, watch]}
  - {apiGroups: [discovery.k8s.io], resources: [endpointslices], verbs: [list, watch]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: system:coredns}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: system:coredns}
subjects: [{kind: ServiceAccount, name: coredns, namespace: kube-system}]
---
apiVersion: v1
kind: ConfigMap
metadata: {name: coredns, namespace: kube-system}
data:
  Corefile: |
${indent(COREFILE, '    ')}---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: coredns
  namespace: kube-system
  labels: {k8s-app: kube-dns, eks.amazonaws.com/component: coredns}
spec:
  replicas: 1
  selector: {matchLabels: {k8s-app: kube-dns, eks.amazonaws.com/component: coredns}}
  strategy: {rollingUpdate: {maxUnavailable: 1}}
  template:
    metadata:
      labels: {k8s-app: kube-dns, eks.amazonaws.com/component: coredns}
      annotations: {eks.amazonaws.com/compute-type: ec2}
    spec:
      priorityClassName: system-cluster-critical
      serviceAccountName: coredns
      dnsPolicy: Default
      tolerations:
        - {key: CriticalAddonsOnly, operator: Exists}
      containers:
        - name: coredns
          image: ${REGISTRY}/${COREDNS_REPOSITORY}:${version}
          args: [-conf, /etc/coredns/Corefile]
          resources: {requests: {cpu: 100m, memory: 70Mi}, limits: {memory: 170Mi}}
          ports:
            - {name: dns, containerPort: 53, protocol: UDP}
            - {name: dns-tcp, containerPort: 53, protocol: TCP}
            - {name: metrics, containerPort: 9153, protocol: TCP}
          livenessProbe:
            httpGet: {path: /health, port: 8080}
            initialDelaySeconds: 60
            timeoutSeconds: 5
            failureThreshold: 5
          readinessProbe:
            httpGet: {path: /ready, port: 8181}
            periodSeconds: 2
          securityContext:
            allowPrivilegeEscalation: false
            readOnlyRootFilesystem: true
            capabilities: {add: [NET_BIND_SERVICE], drop: [ALL]}
          volumeMounts: [{name: config, mountPath: /etc/coredns, readOnly: true}]
      volumes:
        - name: config
          configMap: {name: coredns, items: [{key: Corefile, path: Corefile}]}
---
apiVersion: v1
kind: Service
metadata:
  name: kube-dns
  namespace: kube-system
  labels: {k8s-app: kube-dns, kubernetes.io/name: CoreDNS}
spec:
  selector: {k8s-app: kube-dns}
  clusterIP: ${DNS_SERVICE_ADDRESS}
  ports:
    - {name: dns, port: 53, protocol: UDP, targetPort: 53}
    - {name: dns-tcp, port: 53, protocol: TCP, targetPort: 53}
    - {name: metrics, port: 9153, protocol: TCP, targetPort: 9153}
`;
