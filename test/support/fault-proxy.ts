/** A TCP proxy that fails in the ways in which networks fail. */
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

export interface FaultProxy {
  /** Reached instead of the target, which keeps its scheme. */
  readonly url: string;
  /** Connections accepted since the start. */
  readonly accepted: number;
  /** Resets all connections and, until `heal`, every new one. */
  cut(): void;
  /** Half-open: until `heal` all connections, new ones too, stay open and carry nothing in either direction. */
  silence(): void;
  /** Works again, for new connections and, after `silence`, not for those that were silenced. */
  heal(): void;
  close(): Promise<void>;
}

/** Starts a proxy in front of a URL's host and port, on a free port of 127.0.0.1. */
export const startFaultProxy = async (target: string): Promise<FaultProxy> => {
  const { protocol, hostname, port } = new URL(target);
  const pairs = new Set<readonly [Socket, Socket]>();
  let accepted = 0;
  let state: 'open' | 'cut' | 'silent' = 'open';

  const join = (from: Socket, to: Socket): void => {
    from.on('error', () => {}); // a broken half is a closed half, and `close` follows
    from.once('close', () => to.destroy());
    from.pipe(to);
  };

  const server = createServer((client) => {
    accepted++;
    if (state === 'cut') {
      client.resetAndDestroy();
      return;
    }
    const pair = [client, connect(Number(port), hostname)] as const;
    pairs.add(pair);
    client.once('close', () => pairs.delete(pair));
    join(pair[0], pair[1]);
    join(pair[1], pair[0]);
    if (state === 'silent') mute(pair);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));

  const mute = ([a, b]: readonly [Socket, Socket]): void => {
    a.unpipe(b).pause();
    b.unpipe(a).pause();
  };
  const drop = (): void => pairs.forEach(([client]) => client.resetAndDestroy());

  return {
    url: `${protocol}//127.0.0.1:${(server.address() as AddressInfo).port}`,
    get accepted() {
      return accepted;
    },
    cut: () => {
      state = 'cut';
      drop();
    },
    silence: () => {
      state = 'silent';
      pairs.forEach(mute);
    },
    heal: () => {
      state = 'open';
    },
    close: async () => {
      drop();
      await new Promise((resolve) => server.close(resolve));
    },
  };
};
