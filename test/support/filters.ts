/** What a machine's packet filter tells: counters, and connections that it refused. */
import { REFUSED_SET } from '../../src/compute/render/ruleset.ts';
import { exec } from '../../src/host/exec.ts';
import { inNamespace } from '../../src/host/namespace.ts';

const listed = async (namespace: string, ...what: readonly string[]): Promise<readonly object[]> => {
  const [program, args] = inNamespace(namespace, 'nft', ['-j', 'list', ...what]);
  return (JSON.parse(await exec(program, args)) as { nftables: object[] }).nftables;
};

/** Packets of a named counter in a machine's namespace. */
export const counterAt = async (namespace: string, name: string): Promise<number> => {
  const all = (await listed(namespace, 'counter', 'inet', 'machine', name)) as {
    counter?: { packets: number };
  }[];
  return all.find(({ counter }) => counter !== undefined)?.counter?.packets ?? 0;
};

/** An element of the set as nft(8) prints it in JSON. */
interface Element {
  readonly elem: {
    readonly val: { readonly concat: readonly [string, string, string | number, number] };
    readonly counter: { readonly packets: number };
  };
}

/** Packets by refused connection, as `source destination protocol port`. */
export const refusedAt = async (namespace: string): Promise<ReadonlyMap<string, number>> => {
  const all = (await listed(namespace, 'set', 'inet', 'machine', REFUSED_SET)) as {
    set?: { elem?: readonly Element[] };
  }[];
  const elements = all.flatMap(({ set }) => set?.elem ?? []);
  return new Map(elements.map(({ elem }) => [elem.val.concat.join(' '), elem.counter.packets]));
};
