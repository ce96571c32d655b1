/** Keeps filters as src/main/controller.ts does. Its only argument names a file with `Keeping` in it. */
import { readFileSync } from 'node:fs';
import { pino } from 'pino';
import { KubeClient } from '../../src/kube/client.ts';
import { eventRecorder } from '../../src/kube/events.ts';
import { runFilters } from '../../src/network/filters.ts';
import { firewallStores } from '../../src/network/stores.ts';
import { bareProvider } from './bare-machine.ts';
import { type Keeping, READY } from './keeper.ts';

const [, , file = ''] = process.argv;
const { api, site } = JSON.parse(readFileSync(file, 'utf8')) as Keeping;
const log = pino({ level: 'info' });
const client = new KubeClient(api);
const stores = firewallStores(client, log);
await Promise.all(Object.values(stores).map(({ synced }) => synced));
runFilters({ ...stores, provider: bareProvider(site), events: eventRecorder(client, 'test'), log });
log.info(READY);
