/** What a balancer is told: listeners at addresses and the pools of targets behind them. Plain data. */

/** Where a connection is sent: a pod's address and the port that its container listens on. */
export interface Target {
  /** IPv4. */
  readonly address: string;
  readonly port: number;
}

/** How a target shows that it can serve. */
export interface HealthCheck {
  readonly protocol: 'tcp' | 'http' | 'https';
  /** Asked for by `http` and `https`. */
  readonly path: string;
  /** HTTP codes of a target that is well: codes and ranges, such as `200,300-399`. */
  readonly successCodes: string;
  /** Undefined: the port of the traffic. */
  readonly port: number | undefined;
  readonly intervalSeconds: number;
  readonly timeoutSeconds: number;
  /** Checks in a row that make a target healthy, or unhealthy. */
  readonly healthyThreshold: number;
  readonly unhealthyThreshold: number;
}

/** Targets that serve the same. */
export interface Pool {
  /** Unique in the cluster; of letters, digits, `-`, `.` and `:`. */
  readonly name: string;
  readonly mode: 'tcp' | 'http';
  /** Address that connections to the targets come from: the balancer's own. */
  readonly source: string;
  readonly check: HealthCheck;
  /** Whether targets are spoken to by TLS; nobody looks at their certificates, as in the original. */
  readonly tls: boolean;
  /** Whether connections begin with the client's address, by version 2 of the PROXY protocol. */
  readonly proxyProtocol: boolean;
  /** How long a target that left may keep its connections. */
  readonly drainSeconds: number;
  readonly targets: readonly Target[];
}

/** Which paths a route takes (Kubernetes documentation, "Ingress", path types). */
export interface PathMatch {
  /** `pattern` has the wildcards of the original's listener rules: `*` any characters, `?` exactly one. */
  readonly kind: 'exact' | 'prefix' | 'pattern';
  readonly path: string;
}

/** Which hosts a route takes. */
export interface HostMatch {
  /** `label` is `*.` and a name: exactly one label more. `pattern` is as for paths. */
  readonly kind: 'exact' | 'label' | 'pattern';
  readonly host: string;
}

/** What else a request must have, by the original's listener rules; any of the values will do. */
export type Condition =
  | { readonly kind: 'header'; readonly name: string; readonly patterns: readonly string[] }
  | { readonly kind: 'method'; readonly methods: readonly string[] }
  /** Pairs of the query; without a key, any key will do. */
  | { readonly kind: 'query'; readonly pairs: readonly { readonly key?: string; readonly value: string }[] }
  | { readonly kind: 'source'; readonly ranges: readonly string[] };

/** Sends requests to pools, each by its share; a share without a pool is answered with 503. */
export interface Forward {
  readonly kind: 'forward';
  /** Not empty; shares add up to more than nothing. */
  readonly to: readonly { readonly pool: string | undefined; readonly share: number }[];
}

/** Answers by itself. */
export interface Respond {
  readonly kind: 'respond';
  readonly status: number;
  readonly contentType: string;
  readonly body: string;
}

/** Sends clients elsewhere. `#{host}`, `#{path}` (without its first slash) and `#{query}` are those of the request. */
export interface Redirect {
  readonly kind: 'redirect';
  readonly status: 301 | 302;
  readonly scheme: 'http' | 'https';
  readonly host: string;
  readonly port: number;
  readonly path: string;
  readonly query: string;
}

/** What becomes of a request. */
export type Action = Forward | Respond | Redirect;

/** One rule of an HTTP listener; the first that matches counts. */
export interface Route {
  /** Any of them; empty for every host. */
  readonly hosts: readonly HostMatch[];
  /** Any of them; empty for every path. */
  readonly paths: readonly PathMatch[];
  /** All of them. */
  readonly conditions: readonly Condition[];
  readonly action: Action;
}

/** A certificate with its key. */
export interface Certificate {
  /** Another one for every content; safe as a file's name. */
  readonly name: string;
  /** Hosts that it is shown for, as clients name them (RFC 6066, 3); empty for those that stand in it. */
  readonly hosts: readonly string[];
  /** Certificate, chain and private key, PEM. */
  readonly pem: string;
  /** The Secret that holds it, `namespace/name`, and the object that asks for it. */
  readonly secret: string;
  readonly origin: Origin;
}

interface Place {
  readonly address: string;
  readonly port: number;
  /** CIDRs that may connect; empty for everybody. */
  readonly sources: readonly string[];
}

/** The rules of a listener, and what becomes of a request that none of them takes. */
export interface Routes {
  readonly routes: readonly Route[];
  readonly otherwise: Action;
}

/** Something that accepts connections. */
export type Listener = Place &
  (
    | { readonly kind: 'tcp'; readonly pool: string }
    | ({ readonly kind: 'http' } & Routes)
    | ({
        readonly kind: 'https';
        /** At least one. Clients that name no host of any are shown the first. */
        readonly certificates: readonly Certificate[];
      } & Routes)
  );

/** Everything that all balancers of a cluster do. */
export interface Balancing {
  readonly listeners: readonly Listener[];
  readonly pools: readonly Pool[];
}

/** The object that made a problem. */
export interface Origin {
  readonly kind: 'Service' | 'Ingress';
  readonly namespace: string;
  readonly name: string;
}

/** Why a part of an object is not served: one sentence that says what, where and what to do. */
export interface Problem {
  readonly origin: Origin;
  readonly message: string;
  /** Set when all that can be served is. */
  readonly harmless?: boolean;
}

/** A target in words, `10.42.64.7:8080`; unique in its pool. */
export const targetName = ({ address, port }: Target): string => `${address}:${port}`;
