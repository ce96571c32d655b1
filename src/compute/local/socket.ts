/** UNIX sockets in a machine's directory, however long its path is: sun_path holds 107 characters (unix(7)). */
import { closeSync, constants, openSync } from 'node:fs';
import { connect, type Socket } from 'node:net';

/** Connects to a socket by way of an open directory. @throws the connection's own error, ENOENT or ECONNREFUSED */
export const connectIn = async (directory: string, name: string): Promise<Socket> => {
  const handle = openSync(directory, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    const socket = connect(`/proc/self/fd/${handle}/${name}`);
    await new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve);
      socket.once('error', reject);
    });
    return socket;
  } finally {
    closeSync(handle);
  }
};
