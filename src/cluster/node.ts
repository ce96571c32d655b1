/**
 * The ordinary node: a real kubelet, containerd and kube-proxy for pods that match no profile, on this host
 * but closed off from it. They run in namespaces of their own: network (NAME-node), mounts, processes and host
 * name. Everything they mount or start ends with the first process of that process namespace, and the host's
 * own /run, /var/lib and /var/log, its container runtimes included, are not visible to them.
 */
import {
  CLUSTER_DOMAIN,
  CONTROL_ADDRESS,
  DNS_SERVICE_ADDRESS,
  NODE_ADDRESS,
  NODE_NAME,
  NODE_PODS_CIDR,
  REGION,
  REGISTRY,
  VPC_CIDR,
  ZONES,
} from './plan.ts';

/** Inside the node's mount namespace: the state of the node, and the built programs. */
const NODE = '/run/cloister/node';
const PROGRAMS = '/run/cloister/programs';

/** Image of the pause container, pushed to the cluster's registry by every start. */
export const PAUSE_IMAGE = `${REGISTRY}/cloister/pause:1`;

/** What the kubelet would set for the whole host (pkg/kubelet/cm, setupKernelTunables upstream). */
const KERNEL_TUNABLES = {
  'vm/overcommit_memory': '1',
  'vm/panic_on_oom': '0',
  'kernel/panic': '10',
  'kernel/panic_on_oops': '1',
  'kernel/keys/root_maxkeys': '1000000',
  'kernel/keys/root_maxbytes': '25000000',
} as const;

/**
 * The first program of the node, a POSIX shell script that goes through three stages. `enter` joins the node's
 * control groups and makes them the top of all that can be seen of control groups. `settle` moves into a group
 * below, because on version 2 a group with processes can have no groups with limits in it (cgroups(7), "no
 * internal processes"). `run` becomes process 1 of its namespace, makes the node's own view of the file system
 * and keeps its three programs running, as a service manager would.
 * Arguments: stage, the node's state folder, the folder of programs, one control group per hierarchy.
 */
const nodeInit = (): string => `set -eu
stage=$1 state=$2 programs=$3
shift 3
case $stage in
enter)
  for group; do echo $$ >"$group/cgroup.procs"; done
  exec unshare --cgroup sh "$0" settle "$state" "$programs" "$@"
  ;;
settle)
  for group; do
    [ -e "$group/cgroup.controllers" ] || continue
    mkdir -p "$group/init"
    echo $$ >"$group/init/cgroup.procs"
  done
  exec unshare --mount --propagation=private --uts --pid --fork --mount-proc --kill-child=KILL \
    sh "$0" run "$state" "$programs" "$@"
  ;;
esac
for group; do mount --bind "$group" "\${group%/*}"; done
run=$state/run
mkdir -p "$run" "$state/var-lib" "$state/var-log" "$state/logs"
mount -t tmpfs -o mode=755 tmpfs "$run"
mkdir -p "$run/cloister/node" "$run/cloister/programs" "$run/cloister/tunables"
mount --bind "$state" "$run/cloister/node"
mount --bind "$programs" "$run/cloister/programs"
mount --rbind "$run" /run
mount --bind "${NODE}/var-lib" /var/lib
mount --bind "${NODE}/var-log" /var/log
resolv=$(readlink -m /etc/resolv.conf)
mkdir -p "\${resolv%/*}"
[ -e "$resolv" ] || : >"$resolv"
mount --bind ${NODE}/resolv.conf "$resolv"
# The kubelet insists on these values for the whole kernel: let it see them, and leave the host's alone.
pretend() {
  [ -e "/proc/sys/$1" ] || return 0
  file=/run/cloister/tunables/$(echo "$1" | tr / _)
  echo "$2" >"$file"
  mount --bind "$file" "/proc/sys/$1"
}
${Object.entries(KERNEL_TUNABLES)
  .map(([path, value]) => `pretend ${path} ${value}`)
  .join('\n')}
mount --make-rshared /
hostname ${NODE_NAME}
echo 1 >/proc/sys/net/ipv4/ip_forward
for name in all default eth0; do echo 0 >/proc/sys/net/ipv4/conf/$name/rp_filter; done
cd /
export PATH=${PROGRAMS}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
keep() {
  log=${NODE}/logs/$1.log
  shift
  while :; do
    "$@" >>"$log" 2>&1 || true
    sleep 0.3
  done
}
keep containerd containerd --config ${NODE}/containerd.toml &
until [ -S /run/containerd/containerd.sock ]; do sleep 0.05; done
keep kubelet kubelet --config=${NODE}/kubelet.yaml --kubeconfig=${NODE}/kubelet.conf \\
  --hostname-override=${NODE_NAME} --node-ip=${NODE_ADDRESS} \\
  --node-labels=topology.kubernetes.io/region=${REGION},topology.kubernetes.io/zone=${ZONES[0]} &
keep kube-proxy kube-proxy --config=${NODE}/kube-proxy.yaml &
wait
`;

/**
 * The command line that starts the node: run by this host, inside NAME-node. Everything of the node ends with
 * its process.
 * @param groups the node's control group in every hierarchy, absolute paths one level below its root
 */
export const nodeCommand = (
  state: string,
  programs: string,
  groups: readonly string[],
): readonly [string, readonly string[]] => ['sh', [`${state}/init`, 'enter', state, programs, ...groups]];

/** containerd 2: the registry of the cluster by plain HTTP, others as they are. */
const containerdConfig = (): string => `version = 3
[plugins."io.containerd.cri.v1.images"]
  snapshotter = "overlayfs"
  [plugins."io.containerd.cri.v1.images".pinned_images]
    sandbox = "${PAUSE_IMAGE}"
  [plugins."io.containerd.cri.v1.images".registry]
    config_path = "${NODE}/registries"
[plugins."io.containerd.cri.v1.runtime"]
  # Not every host lets its root lower a score below what it was given.
  restrict_oom_score_adj = true
  # A profile would be loaded into the host's kernel, and stay there.
  disable_apparmor = true
  [plugins."io.containerd.cri.v1.runtime".cni]
    bin_dirs = ["${PROGRAMS}/cni"]
    conf_dir = "${NODE}/cni"
  [plugins."io.containerd.cri.v1.runtime".containerd]
    default_runtime_name = "runc"
    [plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      [plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc.options]
        BinaryName = "${PROGRAMS}/runc"
        SystemdCgroup = false
`;

const registryHosts = (): string => `server = "http://${REGISTRY}"
[host."http://${REGISTRY}"]
  capabilities = ["pull", "resolve"]
`;

/**
 * Pods behind routed veth pairs: a bridge would let two pods talk past kube-proxy's connection tracking.
 * The allocations stand in the node's /run, because no pod's network outlives the node.
 */
const cniConfig = (): string =>
  JSON.stringify({
    cniVersion: '1.0.0',
    name: 'cloister',
    plugins: [
      {
        type: 'ptp',
        mtu: 1500,
        ipam: {
          type: 'host-local',
          dataDir: '/run/cni-addresses',
          ranges: [[{ subnet: NODE_PODS_CIDR }]],
          routes: [{ dst: '0.0.0.0/0' }],
        },
      },
      { type: 'portmap', capabilities: { portMappings: true }, backend: 'nftables' },
    ],
  });

/** Thresholds are low because the host's disk is shared with whatever else the machine is used for. */
const kubeletConfig = (): string => `apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
authentication:
  anonymous: {enabled: false}
  webhook: {enabled: true}
  x509: {clientCAFile: ${NODE}/pki/ca.crt}
authorization: {mode: Webhook}
tlsCertFile: ${NODE}/pki/node.crt
tlsPrivateKeyFile: ${NODE}/pki/node.key
containerRuntimeEndpoint: unix:///run/containerd/containerd.sock
clusterDomain: ${CLUSTER_DOMAIN}
clusterDNS: [${DNS_SERVICE_ADDRESS}]
resolvConf: /etc/resolv.conf
cgroupDriver: cgroupfs
# Needed where the host's control groups are of version 1.
failCgroupV1: false
cgroupsPerQOS: false
enforceNodeAllocatable: []
failSwapOn: false
serializeImagePulls: false
evictionHard: {memory.available: 100Mi, nodefs.available: 1%, nodefs.inodesFree: 1%, imagefs.available: 1%}
imageGCHighThresholdPercent: 99
imageGCLowThresholdPercent: 98
nodeStatusUpdateFrequency: 5s
volumePluginDir: /var/lib/kubelet/volume-plugins
`;

const proxyConfig = (): string => `apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
mode: nftables
clientConnection: {kubeconfig: ${NODE}/kube-proxy.conf}
hostnameOverride: ${NODE_NAME}
# Everything inside the VPC is routed both ways, so no source needs to be translated.
clusterCIDR: ${VPC_CIDR}
detectLocalMode: ClusterCIDR
# The limits belong to the host's kernel, not to a namespace: leave them as they are.
conntrack: {maxPerCore: 0, min: 0, tcpEstablishedTimeout: 0s, tcpCloseWaitTimeout: 0s}
`;

/** The node's files besides its certificates and kubeconfigs, by path below its state folder. */
export const nodeFiles = (): Readonly<Record<string, string>> => ({
  init: nodeInit(),
  'resolv.conf': `nameserver ${CONTROL_ADDRESS}\n`,
  'containerd.toml': containerdConfig(),
  [`registries/${REGISTRY}/hosts.toml`]: registryHosts(),
  'cni/10-cloister.conflist': cniConfig(),
  'kubelet.yaml': kubeletConfig(),
  'kube-proxy.yaml': proxyConfig(),
});
