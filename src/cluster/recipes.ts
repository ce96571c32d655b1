/** How each upstream component is built: pure data and functions, hashed into the names of the results. */
import { createHash } from 'node:crypto';

/** One program of a component. */
export interface Program {
  /** Where it ends up below the components folder, for example `cni/ptp`. */
  readonly file: string;
  /** Go package of its main function. */
  readonly package: string;
}

/** How one component is built from the Go module that its folder below `upstream/` pins. */
export interface Recipe {
  /** Folder below `upstream/`. */
  readonly folder: string;
  /** The module whose version is the component's version. */
  readonly module: string;
  readonly programs: readonly Program[];
  readonly tags: readonly string[];
  /** Linked against C libraries (statically). */
  readonly cgo: boolean;
  /** GiB that an empty Go cache grows by at most: modules, compiled packages and results. */
  readonly diskGiB: number;
}

/** Counts up when building itself changes in a way that the other inputs do not show. */
const RECIPE_VERSION = 1;

const kubernetes = (minor: string): Recipe => ({
  folder: `kubernetes-${minor}`,
  module: 'k8s.io/kubernetes',
  programs: [
    ...[
      'kube-apiserver',
      'kube-controller-manager',
      'kube-scheduler',
      'kubelet',
      'kube-proxy',
      'kubectl',
    ].map((file) => ({ file, package: `k8s.io/kubernetes/cmd/${file}` })),
    { file: 'agnhost', package: 'k8s.io/kubernetes/test/images/agnhost' },
  ],
  tags: [],
  cgo: false,
  diskGiB: 5,
});

const containerd: Recipe = {
  folder: 'containerd',
  module: 'github.com/containerd/containerd/v2',
  programs: ['containerd', 'containerd-shim-runc-v2', 'ctr'].map((file) => ({
    file,
    package: `github.com/containerd/containerd/v2/cmd/${file}`,
  })),
  tags: ['no_btrfs', 'no_devmapper', 'no_zfs'],
  cgo: false,
  diskGiB: 1,
};

const runc: Recipe = {
  folder: 'runc',
  module: 'github.com/opencontainers/runc',
  programs: [{ file: 'runc', package: 'github.com/opencontainers/runc' }],
  tags: ['seccomp', 'netgo', 'osusergo'],
  cgo: true,
  diskGiB: 0.5,
};

const cni: Recipe = {
  folder: 'cni',
  module: 'github.com/containernetworking/plugins',
  programs: ['ipam/host-local', 'main/loopback', 'main/ptp', 'meta/portmap'].map((path) => ({
    file: `cni/${path.split('/')[1]}`,
    package: `github.com/containernetworking/plugins/plugins/${path}`,
  })),
  tags: [],
  cgo: false,
  diskGiB: 0.5,
};

const etcd: Recipe = {
  folder: 'etcd',
  module: 'go.etcd.io/etcd/server/v3',
  programs: [{ file: 'etcd', package: 'go.etcd.io/etcd/server/v3' }],
  tags: [],
  cgo: false,
  diskGiB: 0.5,
};

const coredns: Recipe = {
  folder: 'coredns',
  module: 'github.com/coredns/coredns',
  programs: [{ file: 'coredns', package: 'github.com/coredns/coredns' }],
  tags: [],
  cgo: false,
  diskGiB: 1.5,
};

/** All components of a cluster, the longest build first. @param minor a Kubernetes minor such as `1.36` */
export const recipes = (minor: string): readonly Recipe[] => [
  kubernetes(minor),
  coredns,
  containerd,
  etcd,
  runc,
  cni,
];

/** The version of a module that a go.mod pins, without the `v`. @throws Error when it does not name the module */
export const pinnedVersion = (goMod: string, module: string): string => {
  const line = goMod.split('\n').find((text) =>
    text
      .trim()
      .replace(/^require /, '')
      .startsWith(`${module} v`),
  );
  const version = line?.match(/ v(\S+)/)?.[1];
  if (version === undefined) throw new Error(`go.mod does not pin ${module}`);
  return version;
};

/** Linker flags. Kubernetes learns its version there, as its own build does (hack/lib/version.sh upstream). */
export const linkerFlags = (recipe: Recipe, version: string): string => {
  const base = recipe.cgo ? '-s -w -extldflags -static' : '-s -w';
  if (recipe.module !== 'k8s.io/kubernetes') return base;
  const [major, minor] = version.split('.');
  const set = { gitVersion: `v${version}`, gitMajor: major, gitMinor: minor, gitTreeState: 'clean' };
  const variables = Object.entries(set).map(
    ([key, value]) => `-X k8s.io/component-base/version.${key}=${value}`,
  );
  return [base, ...variables].join(' ');
};

/** Arguments of `go build`; with one program `output` is its file, with several a folder ending in `/`. */
export const buildArguments = (recipe: Recipe, version: string, output: string): readonly string[] => [
  'build',
  '-mod=readonly',
  '-trimpath',
  '-buildvcs=false',
  '-v',
  ...(recipe.tags.length === 0 ? [] : ['-tags', recipe.tags.join(',')]),
  '-ldflags',
  linkerFlags(recipe, version),
  '-o',
  output,
  ...recipe.programs.map((program) => program.package),
];

/** Name of the folder that holds a component's programs: its folder and the hash of everything that goes in. */
export const resultName = (recipe: Recipe, goMod: string, goSum: string): string => {
  const inputs = JSON.stringify([RECIPE_VERSION, recipe, goMod, goSum, buildArguments(recipe, '', '')]);
  return `${recipe.folder}-${createHash('sha256').update(inputs).digest('hex').slice(0, 16)}`;
};
