/** QEMU processes as /proc shows them, whoever started them and whether or not their directory still exists. */
import { readdirSync, readFileSync } from 'node:fs';
import { processName } from '../render/qemu.ts';

/** Process ids by machine name, for one cluster. */
export const processesOf = (cluster: string): ReadonlyMap<string, readonly number[]> => {
  const found = new Map<string, number[]>();
  const prefix = processName(cluster, '');
  for (const entry of readdirSync('/proc')) {
    if (!/^\d+$/.test(entry)) continue;
    const args = commandLine(entry);
    const name = args[args.indexOf('-name') + 1] ?? '';
    if (!args[0]?.endsWith('qemu-system-x86_64') || !name.startsWith(prefix)) continue;
    const machine = name.slice(prefix.length);
    found.set(machine, [...(found.get(machine) ?? []), Number(entry)]);
  }
  return found;
};

/** Arguments of a process; none when it has gone meanwhile or is a zombie. */
const commandLine = (pid: string): readonly string[] => {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ESRCH') return [];
    throw cause;
  }
};
