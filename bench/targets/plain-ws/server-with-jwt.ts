import { createHmac, createSecretKey, randomUUID, timingSafeEqual } from 'node:crypto';
import { tokenSecret } from '../holdfast/token.ts';
import { serverTextFrame } from '../server-frame.ts';
import type { StartServer } from '../target.ts';
import { startBareLoop } from './bare-loop.ts';

const secret = createSecretKey(tokenSecret, 'utf8');

/**
 * The bare loop behind the least of our protocol: the token is checked, connect and subscribe are
 * answered in one write. No limits, no options, no metrics, nothing that a second channel would need:
 * what a connect costs at least when it costs nothing beyond what the protocol asks for.
 */
export const startPlainWsWithJwt: StartServer = (settings) =>
  startBareLoop({
    ...settings,
    welcome: (webSocket, socket, join) => {
      webSocket.on('message', (data: Buffer) => {
        const [connect, subscribe] = data.toString().split('\n').map(readCommand);
        // A pong is the other thing that clients send.
        if (connect?.connect === undefined) return;
        const { exp } = verified(connect.connect.token);
        const results = [
          {
            id: connect.id,
            connect: {
              client: randomUUID(),
              version: '',
              expires: true,
              ttl: exp - Math.floor(Date.now() / 1_000),
              ping: settings.pingIntervalMs / 1_000,
              pong: true,
            },
          },
          { id: subscribe?.id, subscribe: {} },
        ];
        join();
        socket.write(serverTextFrame(results.map((result) => JSON.stringify(result)).join('\n')));
      });
    },
    textOf: (message) => `{"push":{"channel":"bench","pub":{"data":${message}}}}`,
  });

interface BenchCommand {
  readonly id: number;
  readonly connect?: { readonly token: string };
}

function readCommand(line: string): BenchCommand {
  return JSON.parse(line) as BenchCommand;
}

function verified(token: string): { readonly exp: number } {
  const [head = '', claims = '', signature = ''] = token.split('.');
  const expected = createHmac('sha256', secret).update(`${head}.${claims}`).digest();
  const { exp } = JSON.parse(Buffer.from(claims, 'base64url').toString()) as { exp: number };
  const isGood = timingSafeEqual(expected, Buffer.from(signature, 'base64url'));
  if (!isGood || exp * 1_000 <= Date.now()) throw new Error('the token is not good');
  return { exp };
}
