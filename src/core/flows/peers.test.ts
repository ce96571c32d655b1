import { expect, it } from 'vitest';
import type { Machine } from '../machine/machine.ts';
import { parseAddress } from '../net/ipv4.ts';
import type { Pod } from '../pod.ts';
import { podsByAddress } from './peers.ts';

const pod = (name: string, podIP: string, phase = 'Running', hostNetwork = false): Pod => ({
  metadata: { namespace: 'shop', name },
  spec: { containers: [], hostNetwork },
  status: { phase, podIP },
});
const machine = (name: string, address: string): Machine => ({
  name: `vm-${name}`,
  pod: { namespace: 'shop', name, uid: name },
  profile: 'shop',
  size: { milliCpu: 250, memoryMiB: 512, storageGiB: 20 },
  placement: { subnet: 'a', zone: 'a', region: 'local-1', address },
  securityGroups: [],
  image: '',
});

it('knows pods by the addresses that are theirs alone', () => {
  const pods = [
    pod('plain', '10.42.1.5'),
    pod('done', '10.42.1.6', 'Succeeded'),
    pod('broken', '10.42.1.7', 'Failed'),
    pod('proxy', '10.42.0.3', 'Running', true),
    pod('before', '10.42.64.7'),
  ];
  const podAt = podsByAddress([machine('web', '10.42.64.7')], pods);
  const named = ['10.42.1.5', '10.42.1.6', '10.42.1.7', '10.42.0.3', '10.42.64.7', '192.0.2.1'].map(
    (address) => podAt(parseAddress(address) as number),
  );
  expect(named).toEqual(['shop/plain', undefined, undefined, undefined, 'shop/web', undefined]);
});
