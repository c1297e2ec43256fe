import { connect } from 'node:net';

/**
 * Sends bytes to a server and collects what comes back until the server ends the connection, or
 * until `isEnough` says so.
 */
export function sendRaw(
  url: string,
  bytes: string | Uint8Array,
  isEnough: (received: string) => boolean = () => false,
): Promise<string> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve, reject) => {
    const socket = connect({ host: hostname, port: Number(port) });
    let received = '';
    socket.on('connect', () => socket.write(bytes));
    socket.on('data', (chunk) => {
      received += chunk.toString('latin1');
      if (isEnough(received)) socket.destroy();
    });
    socket.on('error', (error: NodeJS.ErrnoException) => {
      // A server may cut who goes on sending after it was refused.
      if (error.code !== 'ECONNRESET' && error.code !== 'EPIPE') reject(error);
    });
    socket.on('close', () => resolve(received));
  });
}

/** The status of the first response in what {@link sendRaw} got; 0 when there is none. */
export function statusOf(received: string): number {
  return Number(/^HTTP\/1\.1 (\d{3})/.exec(received)?.[1] ?? 0);
}
