/** The small image that the demonstration and the tests run, built here because no registry outside is needed. */

import type { Entry, Run } from '../cluster/image.ts';
import { exec } from '../host/exec.ts';

/** Where Debian's busybox-static puts its program. */
const BUSYBOX = '/usr/bin/busybox';

/** Reference of the image, without the registry. */
export const BUSYBOX_REFERENCE = 'cloister/busybox:1';

const FOLDERS = ['bin', 'etc', 'home', 'root', 'usr', 'usr/bin', 'var', 'var/log', 'tmp'] as const;

/** A root file system with busybox, a link per applet, and a user besides root. */
export const busyboxImage = async (): Promise<{ readonly entries: readonly Entry[]; readonly run: Run }> => {
  const applets = (await exec(BUSYBOX, ['--list'])).trim().split('\n');
  return {
    entries: [
      ...FOLDERS.map((path): Entry => ({ type: 'directory', path, mode: path === 'tmp' ? 0o1777 : 0o755 })),
      { type: 'copy', path: 'bin/busybox', from: BUSYBOX },
      ...applets
        .filter((applet) => applet !== 'busybox')
        .map((applet): Entry => ({ type: 'symlink', path: `bin/${applet}`, target: 'busybox' })),
      {
        type: 'file',
        path: 'etc/passwd',
        content: 'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534::/:/bin/sh\n',
      },
      { type: 'file', path: 'etc/group', content: 'root:x:0:\nnobody:x:65534:\n' },
    ],
    run: { Cmd: ['/bin/sh'], Env: ['PATH=/usr/bin:/bin'] },
  };
};
