/** What a machine's packet filter tells: counters, and connections that it refused. */
import { notedElements } from '../../src/compute/local/flows.ts';
import { protocolName } from '../../src/core/firewall/protocol.ts';
import { exec } from '../../src/host/exec.ts';
import { inNamespace } from '../../src/host/namespace.ts';

/** Named counters, as nft(8) lists them. */
const counters = async (
  namespace: string,
  ...what: readonly string[]
): Promise<readonly { readonly name: string; readonly packets: number }[]> => {
  const [program, args] = inNamespace(namespace, 'nft', ['-j', 'list', ...what]);
  const { nftables } = JSON.parse(await exec(program, args)) as {
    nftables: readonly { counter?: { name: string; packets: number } }[];
  };
  return nftables.flatMap(({ counter }) => counter ?? []);
};

/** Packets of a named counter in a machine's namespace. */
export const counterAt = async (namespace: string, name: string): Promise<number> =>
  (await counters(namespace, 'counter', 'inet', 'machine', name))[0]?.packets ?? 0;

/** Packets by refused connection, as `source destination protocol port`. */
export const refusedAt = async (namespace: string): Promise<ReadonlyMap<string, number>> =>
  new Map(
    (await notedElements(namespace, 'refused')).map(({ source, destination, protocol, port, packets }) => [
      `${source} ${destination} ${protocolName(protocol).toLowerCase()} ${port}`,
      packets,
    ]),
  );

/** Counts frames that leave by an interface, after everything that could have stopped them. */
export interface Witness {
  /** Frames by the name of what they match. */
  seen(): Promise<Readonly<Record<string, number>>>;
  end(): Promise<void>;
}

/**
 * Puts a witness at an interface.
 * @param matches what to count, as nft(8) matches it, by names that are no words of its own
 */
export const witness = async (
  namespace: string,
  device: string,
  matches: Readonly<Record<string, string>>,
): Promise<Witness> => {
  const named = Object.entries(matches);
  const rules = `table netdev witness {
    ${named.map(([name]) => `counter ${name} {}`).join('\n')}
    chain wire {
      type filter hook egress device "${device}" priority filter; policy accept;
      ${named.map(([name, match]) => `${match} counter name ${name}`).join('\n')}
    }
  }`;
  const nft = async (...args: readonly string[]): Promise<void> => {
    const [program, all] = inNamespace(namespace, 'nft', args);
    await exec(program, all, { input: rules });
  };
  await nft('-f', '-');
  return {
    seen: async () => {
      const all = await counters(namespace, 'counters', 'table', 'netdev', 'witness');
      return Object.fromEntries(all.map(({ name, packets }) => [name, packets]));
    },
    end: () => nft('delete', 'table', 'netdev', 'witness'),
  };
};
