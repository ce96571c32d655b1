/** What a machine's packet filter tells: counters, and connections that it refused. */
import { refusedElements } from '../../src/compute/local/flows.ts';
import { protocolName } from '../../src/core/firewall/protocol.ts';
import { exec } from '../../src/host/exec.ts';
import { inNamespace } from '../../src/host/namespace.ts';

/** Packets of a named counter in a machine's namespace. */
export const counterAt = async (namespace: string, name: string): Promise<number> => {
  const list = ['-j', 'list', 'counter', 'inet', 'machine', name];
  const [program, args] = inNamespace(namespace, 'nft', list);
  const { nftables } = JSON.parse(await exec(program, args)) as {
    nftables: readonly { counter?: { packets: number } }[];
  };
  return nftables.find(({ counter }) => counter !== undefined)?.counter?.packets ?? 0;
};

/** Packets by refused connection, as `source destination protocol port`. */
export const refusedAt = async (namespace: string): Promise<ReadonlyMap<string, number>> =>
  new Map(
    (await refusedElements(namespace)).map(({ source, destination, protocol, port, packets }) => [
      `${source} ${destination} ${protocolName(protocol).toLowerCase()} ${port}`,
      packets,
    ]),
  );
