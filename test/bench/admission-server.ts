/** The admission server alone, as a process of its own: `admission-server.ts FILE`, a JSON file with its settings. */
import { readFileSync } from 'node:fs';
import { pino } from 'pino';
import { admissionServer } from '../../src/admission/webhook.ts';
import { manyProfiles } from './pure.ts';

const [file = ''] = process.argv.slice(2);
const settings = JSON.parse(readFileSync(file, 'utf8')) as { port: number; certificate: string; key: string };
const profiles = manyProfiles('values');
const server = admissionServer({
  profiles: () => profiles,
  tls: settings,
  log: pino({ level: 'info' }, pino.destination('/dev/null')),
});
await server.listen({ host: '127.0.0.1', port: settings.port });
