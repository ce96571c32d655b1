/** Clients in network namespaces, and namespaces of a run with tiny HTTP servers that stand for pods. */
import { type ChildProcess, spawn } from 'node:child_process';
import { VPC_CIDR } from '../../src/cluster/plan.ts';
import { endProcesses } from '../../src/cluster/stop.ts';
import { attach, createRouter, removeRouter } from '../../src/compute/local/router.ts';
import { exec } from '../../src/host/exec.ts';
import { addNamespace, inNamespace, removeNamespace } from '../../src/host/namespace.ts';
import { until } from '../../src/host/wait.ts';

/** Answers whatever comes, at port 8081, with how all connections so far began: their first bytes in hexadecimal. */
const BEGINNINGS = `
const begun = new Set();
require('node:net').createServer((socket) => socket.on('error', () => {}).once('data', (data) => {
  begun.add(data.subarray(0, 3).toString('hex'));
  socket.end('HTTP/1.0 200 OK\\r\\n\\r\\n' + JSON.stringify([...begun]));
})).listen(8081, process.argv[1], () => console.log('listens'));
`;

/**
 * Answers every request with its name, the path and who asks; one for /hold stays open until it is killed, and one
 * for /not-NAME is closed unanswered by who has that name.
 */
const SERVER = `
const [address, name] = process.argv.slice(1);
require('node:http').createServer((request, response) => {
  if (request.url === '/not-' + name) return request.socket.destroy();
  response.write(JSON.stringify({ name, path: request.url, from: request.socket.remoteAddress }) + '\\n');
  if (request.url !== '/hold') return response.end();
  const beat = setInterval(() => response.write('beat\\n'), 50);
  response.once('close', () => clearInterval(beat));
}).listen(8080, address, () => console.log('listens'));
`;

const ASK = `
const [url, host, method] = process.argv.slice(1);
const tls = { servername: host.split(':')[0], rejectUnauthorized: false };
const module = require(url.startsWith('https:') ? 'node:https' : 'node:http');
module.request(url, { method, agent: false, signal: AbortSignal.timeout(8_000), headers: host ? { host } : {}, ...tls }, (response) => {
  const certificate = response.socket.getPeerCertificate?.().subject.CN;
  const { location } = response.headers;
  let body = '';
  response.on('data', (chunk) => (body += chunk)).on('end', () => console.log(JSON.stringify({ status: response.statusCode, body, location, certificate })));
}).on('error', (error) => console.log(JSON.stringify({ status: 0, body: error.code }))).end();
`;

/**
 * Asks again and again, each time by a connection of its own, until it is told to stop; counts who answers, and tells
 * of each when it comes. An answer may take its time: a guest that others keep from computing is slow, and no request
 * of it has failed.
 */
const ASK_ON = `
const [url, pause] = process.argv.slice(1);
const counts = {};
const nameIn = (body) => (body.startsWith('{') ? JSON.parse(body).name : body.trim());
let stopping = false;
process.stdin.on('end', () => (stopping = true)).resume();
const next = () => {
  if (stopping) return console.log(JSON.stringify(counts));
  const note = (key) => {
    if (!(key in counts)) console.log(key);
    counts[key] = (counts[key] ?? 0) + 1;
    setTimeout(next, Number(pause));
  };
  require('node:http').get(url, { agent: false, signal: AbortSignal.timeout(60_000) }, (response) => {
    let body = '';
    response.on('data', (chunk) => (body += chunk)).on('end', () => note(response.statusCode === 200 ? nameIn(body) : response.statusCode));
  }).on('error', (error) => note(error.code));
};
next();
`;

/** What a client was answered; status 0 with an error's code when it was not. */
export interface Answered {
  readonly status: number;
  readonly body: string;
  /** Where else it was sent. */
  readonly location?: string;
  /** Common name of the certificate that it was shown. */
  readonly certificate?: string;
}

/** A program that runs beside the test. */
export interface Beside {
  output(): string;
  /** Ends its input, waits for its end and gives what it printed. */
  finish(): Promise<string>;
  /** Kills it. */
  kill(): Promise<void>;
}

const beside = (namespace: string | undefined, script: string, args: readonly string[]): Beside => {
  const [program, all] = command(namespace, ['-e', script, ...args]);
  const child: ChildProcess = spawn('setpriv', ['--pdeathsig', 'KILL', program, ...all], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  let output = '';
  child.stdout?.setEncoding('utf8').on('data', (text: string) => (output += text));
  const ended = (): Promise<unknown> =>
    until(() => child.exitCode !== null || child.signalCode !== null, {
      limitMs: 70_000,
      what: `a client or server in ${namespace ?? 'the host'} to end`,
    });
  return {
    output: () => output,
    finish: async () => {
      child.stdin?.end();
      await ended();
      return output;
    },
    kill: async () => {
      child.kill('SIGKILL');
      await ended();
    },
  };
};

/** Asks from a network namespace, each time by a connection of its own. */
export interface Client {
  /** @param method default GET */
  ask(url: string, host?: string, method?: string): Promise<Answered>;
  /**
   * Asks until it is finished, and then gives how often each name, status or error's code was the answer; prints each
   * that is new.
   * @param pauseMs between two requests: a guest of a quarter vCPU shall be asked, not worn out. Default 2
   */
  askOn(url: string, pauseMs?: number): Beside;
  /** Asks for something that does not end. */
  hold(url: string): Beside;
}

/** A network with a router, a client and any number of servers. */
export interface Stage extends Client {
  readonly router: string;
  readonly balancer: string;
  /** Starts a server at an address, port 8080, that tells its name. */
  serve(address: string, name: string): Promise<Beside>;
  /** Starts a server at an address, port 8081, that tells how connections began. */
  serveBeginnings(address: string): Promise<void>;
  remove(): Promise<void>;
}

const HOLD = `require('node:http').get(process.argv[1], { agent: false }, (response) => response.pipe(process.stdout)).on('error', (error) => console.log(error.code));`;

const command = (namespace: string | undefined, args: readonly string[]) =>
  namespace === undefined
    ? ([process.execPath, args] as const)
    : inNamespace(namespace, process.execPath, args);

const listening = async (server: Beside, name: string): Promise<Beside> => {
  await until(() => server.output().includes('listens'), { limitMs: 10_000, what: `${name} to listen` });
  return server;
};

/** A server in a namespace, at one of its addresses and port 8080, that tells its name. */
export const serverIn = (namespace: string, address: string, name: string): Promise<Beside> =>
  listening(beside(namespace, SERVER, [address, name]), name);

/** A client in a namespace that exists, or in that of the host. */
export const clientIn = (namespace: string | undefined): Client => ({
  ask: async (url, host = '', method = 'GET') =>
    JSON.parse(await exec(...command(namespace, ['-e', ASK, url, host, method]))) as Answered,
  askOn: (url, pauseMs = 2) => {
    const asking = beside(namespace, ASK_ON, [url, `${pauseMs}`]);
    const finish = async () => (await asking.finish()).trim().split('\n').at(-1) ?? '';
    return { ...asking, finish };
  },
  hold: (url) => beside(namespace, HOLD, [url]),
});

/** @param name beginning of the namespaces' names, at most 12 characters */
export const makeStage = async (name: string): Promise<Stage> => {
  const router = `${name}-router`;
  const client = `${name}-client`;
  const balancer = `${name}-balancer`;
  const made = new Set([client, balancer]);
  await createRouter({ name: router, network: VPC_CIDR, egress: false });
  await addNamespace(client);
  await attach({ router, namespace: client, address: '10.42.0.2' });
  const place = async (address: string): Promise<string> => {
    const namespace = `${name}-${address.replaceAll('.', '-')}`;
    made.add(namespace);
    await addNamespace(namespace);
    await attach({ router, namespace, address });
    return namespace;
  };
  return {
    router,
    balancer,
    serve: async (address, label) => serverIn(await place(address), address, label),
    serveBeginnings: async (address) => {
      await listening(beside(await place(address), BEGINNINGS, [address]), 'the server of beginnings');
    },
    ...clientIn(client),
    remove: async () => {
      for (const namespace of made) {
        await endProcesses(namespace);
        await removeNamespace(namespace);
      }
      await removeRouter(router);
    },
  };
};
