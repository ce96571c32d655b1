/** HAProxy's configuration and commands, as text (HAProxy 2.6 "Configuration Manual", "Management Guide"). Pure. */
import { createHash } from 'node:crypto';
import {
  type Balancing,
  type HealthCheck,
  type Listener,
  type Pool,
  type Target,
  targetName,
} from '../../core/balancing/model.ts';
import { answerLines, routeLines, word } from './haproxy-routes.ts';

/** Where HAProxy keeps what it needs. */
export interface ProxyFiles {
  /** Socket of the commands. */
  readonly socket: string;
  /** Empty folder that workers are locked into. */
  readonly jail: string;
  /** States of the servers, which a new worker takes over. */
  readonly states: string;
  /** Folder of the certificates and their keys. */
  readonly certificates: string;
}

/** Seconds that a connection may stay idle: those of the original's network and application load balancers. */
const IDLE = { tcp: 350, http: 60 } as const;

const actionLines = (listener: Listener): readonly string[] => {
  if (listener.kind === 'tcp') return [`    default_backend ${listener.pool}`];
  return [
    '    option forwardfor',
    `    http-request set-header X-Forwarded-Proto ${listener.kind}`,
    `    http-request set-header X-Forwarded-Port ${listener.port}`,
    ...routeLines(listener),
  ];
};

const listPath = ({ address, port }: Listener, folder: string): string => `${folder}/${address}-${port}.list`;

const bindLine = (listener: Listener, folder: string): string => {
  const bind = `    bind ${listener.address}:${listener.port}`;
  return listener.kind === 'https'
    ? `${bind} ssl crt-list ${listPath(listener, folder)} alpn h2,http/1.1`
    : bind;
};

const listenerLines = (listener: Listener, folder: string): readonly string[] => {
  const { address, port, sources, kind } = listener;
  return [
    '',
    `frontend ${address}:${port}`,
    `    mode ${kind === 'tcp' ? 'tcp' : 'http'}`,
    bindLine(listener, folder),
    ...(kind === 'tcp' ? [] : [`    timeout client ${IDLE.http}s`]),
    // One line each: a line has at most 64 words.
    ...sources.map((cidr) => `    acl allowed src ${word(cidr)}`),
    ...(sources.length === 0 ? [] : ['    tcp-request connection reject if !allowed']),
    ...actionLines(listener),
  ];
};

/** A file of a balancer: its path and what is in it. */
export interface ProxyFile {
  readonly path: string;
  readonly content: string;
}

/**
 * Certificates with their keys, and for each HTTPS listener the list of those that it has and for which hosts
 * (Configuration Manual, "crt-list").
 * @param folder where they are to stand
 */
export const certificateFiles = ({ listeners }: Balancing, folder: string): readonly ProxyFile[] => {
  const files = new Map<string, string>();
  for (const listener of listeners) {
    if (listener.kind !== 'https') continue;
    const lines = listener.certificates.map(({ name, hosts }) =>
      [`${folder}/${name}.pem`, ...hosts].join(' '),
    );
    files.set(listPath(listener, folder), `${lines.join('\n')}\n`);
    for (const { name, pem } of listener.certificates) files.set(`${folder}/${name}.pem`, pem);
  }
  return [...files].map(([path, content]) => ({ path, content }));
};

/** A configuration by which HAProxy tells whether it would take a certificate. @param path of its file */
export const certificateCheck = (path: string): string =>
  [
    'frontend check',
    '    mode http',
    '    timeout client 1s',
    `    bind 127.0.0.1:1 ssl crt ${path}`,
    '',
  ].join('\n');

const checkLines = ({ protocol, path, successCodes, timeoutSeconds }: HealthCheck): readonly string[] => [
  `    timeout check ${timeoutSeconds}s`,
  ...(protocol === 'tcp'
    ? []
    : [
        '    option httpchk',
        `    http-check send meth GET uri ${word(path)}`,
        `    http-check expect status ${successCodes}`,
      ]),
];

/** A server as HAProxy knows it. */
export interface ProxyServer {
  /** Unique in its pool. */
  readonly name: string;
  readonly target: Target;
  /** Gets connections only while no server that is checked is healthy. */
  readonly spare: boolean;
}

/**
 * The servers of a pool: each target is one that is checked, and a spare that is not. So when no target is healthy,
 * all get connections, as in the original (AWS "Health checks for target groups", fail open).
 */
export const serversOf = ({ targets }: Pick<Pool, 'targets'>): readonly ProxyServer[] =>
  targets.flatMap((target) => [
    { name: targetName(target), target, spare: false },
    { name: `${targetName(target)}:spare`, target, spare: true },
  ]);

/** A target that is not healthy is asked every second, so that a pod that starts is not kept waiting. */
const checkOptions = ({ check, proxyProtocol }: Pool, { port }: Target): string =>
  [
    `check port ${check.port ?? port}`,
    ...(check.protocol === 'https' ? ['check-ssl verify none'] : []),
    ...(proxyProtocol ? ['check-send-proxy'] : []),
    `inter ${check.intervalSeconds}s fastinter 1s downinter 1s`,
    `rise ${check.healthyThreshold} fall ${check.unhealthyThreshold}`,
  ].join(' ');

const serverOptions = (pool: Pool, { target, spare }: ProxyServer): string =>
  [
    ...(pool.tls ? ['ssl verify none'] : []),
    ...(pool.proxyProtocol ? ['send-proxy-v2'] : []),
    spare ? 'backup' : checkOptions(pool, target),
  ].join(' ');

const serverLine = (pool: Pool, server: ProxyServer): string =>
  `    server ${server.name} ${targetName(server.target)} ${serverOptions(pool, server)}`;

/**
 * Each request has a connection of its own to the pod, so that none is sent into one that a leaving pod closes.
 * What a pod closes unanswered all the same, another one is asked, where asking twice does no harm (RFC 9110, 9.2.2).
 */
const HTTP_POOL: readonly string[] = [
  '    option http-server-close',
  `    timeout server ${IDLE.http}s`,
  '    retry-on conn-failure empty-response',
  '    http-request disable-l7-retry unless METH_GET',
];

const poolLines = (pool: Pool, servers: readonly ProxyServer[]): readonly string[] => [
  '',
  `backend ${pool.name}`,
  `    mode ${pool.mode}`,
  `    source ${pool.source}`,
  '    balance roundrobin',
  '    option allbackups',
  ...(pool.mode === 'http' ? HTTP_POOL : []),
  ...checkLines(pool.check),
  ...servers.map((server) => serverLine(pool, server)),
];

const globalLines = (mark: string, { socket, jail, states }: ProxyFiles): readonly string[] => [
  'global',
  `    description ${mark}`,
  `    stats socket ${socket} mode 600 level admin expose-fd listeners`,
  `    server-state-file ${states}`,
  `    chroot ${jail}`,
  '    user nobody',
  '    group nogroup',
  // Connections that a worker still carries when another took over; then they are cut.
  '    hard-stop-after 1h',
  // Or this many others after it: who keeps changing an Ingress, with a connection to each worker, fills no memory.
  '    mworker-max-reloads 32',
  '    log stderr format raw daemon warning',
  '    ssl-default-bind-options ssl-min-ver TLSv1.2',
  '',
  'defaults',
  '    load-server-state-from-file global',
  '    timeout connect 5s',
  `    timeout client ${IDLE.tcp}s`,
  `    timeout server ${IDLE.tcp}s`,
  // A pod that refuses the connection costs nobody a request: another one is asked.
  '    retries 3',
  '    option redispatch 1',
];

const bodyLines = (
  { listeners, pools }: Balancing,
  folder: string,
  servers: (pool: Pool) => readonly ProxyServer[],
): readonly string[] => [
  ...listeners.flatMap((listener) => listenerLines(listener, folder)),
  ...answerLines(listeners),
  ...pools.flatMap((pool) => poolLines(pool, servers(pool))),
];

/** The lines of a pool's servers, whatever their addresses are. */
const anyServer = (): readonly ProxyServer[] => serversOf({ targets: [{ address: '0.0.0.0', port: 0 }] });

/** A name for all of the configuration but its targets, certificates included: another one needs a new worker. */
export const markOf = (balancing: Balancing): string =>
  createHash('sha256')
    .update(bodyLines(balancing, '', anyServer).join('\n'))
    .update(JSON.stringify(certificateFiles(balancing, '')))
    .digest('hex')
    .slice(0, 16);

/**
 * The configuration file. Its `description` is its mark, by which a running worker tells what it serves.
 * @param known the servers that the running worker knows, by pool: all others are added by commands
 */
export const proxyConfig = (
  balancing: Balancing,
  files: ProxyFiles,
  known: (pool: Pool) => readonly ProxyServer[],
): string =>
  `${[...globalLines(markOf(balancing), files), ...bodyLines(balancing, files.certificates, known)].join('\n')}\n`;

/** A server is up the moment it is enabled: it stays without weight until it has been set down. */
const downCommands = (name: string): readonly string[] => [
  `set server ${name} health down`,
  `enable health ${name}`,
  `set server ${name} weight 1`,
];

/** Adds a server. One that is checked gets nothing before its checks have succeeded. */
export const addCommand = (pool: Pool, server: ProxyServer): string => {
  const name = `${pool.name}/${server.name}`;
  const add = `add server ${name} ${targetName(server.target)} ${serverOptions(pool, server)}`;
  const enable = `enable server ${name}`;
  return (server.spare ? [add, enable] : [`${add} weight 0`, enable, ...downCommands(name)]).join('; ');
};

/** Whether a line adds a server, and how the answer begins when that worked. */
export const isAdding = (line: string): boolean => line.startsWith('add server ');
export const ADDED = 'New server registered.';

/** Takes a server back that was sent away. */
export const returnCommand = (pool: Pool, server: ProxyServer): string => {
  const name = `${pool.name}/${server.name}`;
  const ready = `set server ${name} state ready`;
  return (server.spare ? [ready] : [`set server ${name} weight 0`, ready, ...downCommands(name)]).join('; ');
};

/** Sends a server no more connections; those that it has go on. */
export const drainCommand = (pool: string, server: string): string =>
  `set server ${pool}/${server} state maint`;

/** Cuts what a server still has. */
export const cutCommand = (pool: string, server: string): string =>
  `shutdown sessions server ${pool}/${server}`;

/** Forgets a server that has no connections left. */
export const deleteCommand = (pool: string, server: string): string => `del server ${pool}/${server}`;

/** A server as a worker tells of it. */
export interface ServerState {
  readonly pool: string;
  /** Its name, as `serversOf` gives it. */
  readonly server: string;
  readonly healthy: boolean;
  /** Gets no more connections. */
  readonly draining: boolean;
  /** Seconds since either changed. */
  readonly sinceSeconds: number;
}

/**
 * States as a new worker is to take them over. HAProxy puts TLS and the port of checks from there before those of its
 * configuration, so both are written as the pools have them now.
 * @param answer to `show servers state`
 */
export const statesFor = (answer: string, pools: readonly Pool[]): string => {
  const known = new Map(pools.map((pool) => [pool.name, pool]));
  let names: readonly string[] = [];
  const rewritten = (line: string): string => {
    if (line.startsWith('# ')) names = line.slice(2).split(' ');
    const fields = line.split(' ');
    const pool = /^\d+ /.test(line) ? known.get(fields[names.indexOf('be_name')] ?? '') : undefined;
    if (pool === undefined) return line;
    const checked = fields[names.indexOf('srv_check_port')] !== '0';
    const port = `${pool.check.port ?? fields[names.indexOf('srv_port')]}`;
    const changes = new Map([
      ['srv_use_ssl', pool.tls ? '1' : '0'],
      ...(checked ? ([['srv_check_port', port]] as const) : []),
    ]);
    return fields.map((field, index) => changes.get(names[index] ?? '') ?? field).join(' ');
  };
  return answer.split('\n').map(rewritten).join('\n');
};

/** Operational state of a server that is up (Management Guide, "show servers state"). */
const RUNNING = '2';

/** Reads the answer to `show servers state`. */
export const parseServerStates = (answer: string): readonly ServerState[] => {
  const lines = answer.split('\n');
  const names = (lines.find((line) => line.startsWith('# ')) ?? '').slice(2).split(' ');
  const at = (fields: readonly string[], name: string): string => fields[names.indexOf(name)] ?? '';
  return lines
    .filter((line) => /^\d+ /.test(line))
    .map((line) => line.split(' '))
    .map((fields) => ({
      pool: at(fields, 'be_name'),
      server: at(fields, 'srv_name'),
      healthy: at(fields, 'srv_op_state') === RUNNING && at(fields, 'srv_admin_state') === '0',
      draining: at(fields, 'srv_admin_state') !== '0',
      sinceSeconds: Number(at(fields, 'srv_time_since_last_change')),
    }));
};
