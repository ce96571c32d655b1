/** Our scheduler without the rest of the controller: `scheduler-alone.ts KUBECONFIG FOLDER`. */
import { pino } from 'pino';
import {
  configMaps,
  fargateProfiles,
  microVMs,
  namespaces,
  networks,
  persistentVolumeClaims,
  persistentVolumes,
  pods,
  securityGroups,
  storageClasses,
  subnets,
} from '../../src/api/resources.ts';
import { fakeProvider } from '../../src/compute/fake/provider.ts';
import { KubeClient } from '../../src/kube/client.ts';
import { eventRecorder } from '../../src/kube/events.ts';
import { loadKubeconfig } from '../../src/kube/kubeconfig.ts';
import { type Store, watchStore } from '../../src/kube/store.ts';
import { runScheduler } from '../../src/scheduling/scheduler.ts';

const [kubeconfig = '', folder = ''] = process.argv.slice(2);
const log = pino({ level: 'info' });
const client = new KubeClient(loadKubeconfig(kubeconfig));
const stores = {
  pods: watchStore(client, pods, { fieldSelector: 'spec.schedulerName=fargate-scheduler', log }),
  profiles: watchStore(client, fargateProfiles, { log }),
  subnets: watchStore(client, subnets, { log }),
  networks: watchStore(client, networks, { log }),
  securityGroups: watchStore(client, securityGroups, { log }),
  microVMs: watchStore(client, microVMs, { log }),
  claims: watchStore(client, persistentVolumeClaims, { log }),
  volumes: watchStore(client, persistentVolumes, { log }),
  classes: watchStore(client, storageClasses, { log }),
  logging: watchStore(client, configMaps, {
    namespace: 'aws-observability',
    fieldSelector: 'metadata.name=aws-logging',
    log,
  }),
  namespaces: watchStore(client, namespaces, { log }),
};
await Promise.all(Object.values(stores).map((store: Store<unknown>) => store.synced));
runScheduler({
  client,
  provider: fakeProvider(folder, { memoryMiB: 1e9, milliCpu: 1e9 }),
  ...stores,
  events: eventRecorder(client, 'fargate-scheduler'),
  log,
  now: () => new Date(),
  region: 'local-1',
  places: {},
  image: 'fake',
});
