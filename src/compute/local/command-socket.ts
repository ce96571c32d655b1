/** HAProxy's command socket: one request a connection, the answer ends with it (Management Guide, 9.3). */
import { connect } from 'node:net';

const LIMIT_MS = 10_000;

/** Sends commands and gives what they print. @throws Error when nobody answers there within the limit */
export const ask = (socket: string, commands: string): Promise<string> =>
  new Promise((resolve, reject) => {
    let answer = '';
    const connection = connect(socket);
    connection.setTimeout(LIMIT_MS, () =>
      connection.destroy(new Error(`HAProxy at ${socket} does not answer within ${LIMIT_MS / 1000} s`)),
    );
    connection.setEncoding('utf8').on('data', (chunk: string) => {
      answer += chunk;
    });
    connection.once('error', reject);
    connection.once('end', () => resolve(answer));
    connection.write(`${commands}\n`);
  });
