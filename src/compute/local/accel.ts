/** Whether this host can run guests with KVM: found by running one, for /dev/kvm proves nothing (fact 1). */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, release, tmpdir } from 'node:os';
import { join } from 'node:path';
import { ExecError, exec } from '../../host/exec.ts';
import type { Acceleration } from '../render/qemu.ts';

/** What the probe found, with a sentence for people. */
export interface Verdict {
  readonly acceleration: Acceleration;
  readonly why: string;
}

/** Kernel and initramfs whose `init` says `cloister: alive` and powers off when asked to by `cloister.probe`. */
export interface ProbeImage {
  readonly kernel: string;
  readonly initrd: string;
}

const LIMIT_MS = 15_000;

const bootsUnderKvm = async (image: ProbeImage): Promise<Verdict> => {
  const work = mkdtempSync(join(tmpdir(), 'cloister-probe-'));
  const log = join(work, 'console');
  try {
    await exec(
      'qemu-system-x86_64',
      [
        ...['-machine', 'q35,usb=off,sata=off,smbus=off', '-accel', 'kvm', '-cpu', 'host', '-m', '256'],
        ...['-nodefaults', '-no-user-config', '-display', 'none', '-no-reboot', '-serial', `file:${log}`],
        ...['-kernel', image.kernel, '-initrd', image.initrd],
        ...['-append', 'console=ttyS0 quiet panic=-1 cloister.probe'],
      ],
      { limitMs: LIMIT_MS },
    );
    if (readFileSync(log, 'utf8').includes('cloister: alive')) {
      return { acceleration: 'kvm', why: 'hardware virtualisation works: a guest started under KVM' };
    }
    return emulation('a guest started under KVM ended before its first program');
  } catch (cause) {
    if (!(cause instanceof ExecError)) throw cause;
    const said = cause.stderr.trim().split('\n')[0] ?? '';
    return emulation(
      said === '' ? `no guest came up under KVM within ${LIMIT_MS / 1000} s` : `QEMU says: ${said}`,
    );
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
};

const emulation = (reason: string): Verdict => ({
  acceleration: 'tcg',
  why: `guests run in software emulation, several times slower: ${reason}`,
});

/**
 * Probes once per kernel, processor and QEMU, and remembers the verdict in the cache.
 * @throws ExecError when QEMU is missing
 */
export const probeAcceleration = async (image: ProbeImage, cache: string): Promise<Verdict> => {
  if (!existsSync('/dev/kvm')) return emulation('/dev/kvm is absent');
  const version = (await exec('qemu-system-x86_64', ['--version'])).split('\n')[0] ?? '';
  const host = [release(), cpus()[0]?.model ?? '', version].join(' | ');
  const file = join(cache, 'acceleration.json');
  if (existsSync(file)) {
    const remembered = JSON.parse(readFileSync(file, 'utf8')) as { host: string; verdict: Verdict };
    if (remembered.host === host) return remembered.verdict;
  }
  const verdict = await bootsUnderKvm(image);
  mkdirSync(cache, { recursive: true });
  writeFileSync(file, `${JSON.stringify({ host, verdict })}\n`);
  return verdict;
};
