import { once } from 'node:events';
import path from 'node:path';
import { startOwned } from '@holdfast/store/testing/owned-process';
import { Centrifuge, type PublicationContext } from 'centrifuge';
import { expect, onTestFinished, test } from 'vitest';
import { WebSocket } from 'ws';

/** The program of this folder in a process of its own. */
async function startExample() {
  const file = path.join(import.meta.dirname, 'server.ts');
  const child = startOwned(process.execPath, ['--conditions=@holdfast/source', file], {
    env: { ...process.env, PORT: '0' },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [line] = (await once(child.stdout, 'data')) as [Buffer];
  const port = Number(/listening on (\d+)/.exec(line.toString())?.[1]);
  return { child, host: `localhost:${port}` };
}

/** A client as a page would be: with the cookie of its session. */
function connect(host: string, cookie: string): Centrifuge {
  class WebSocketWithCookie extends WebSocket {
    constructor(url: string, protocols: string | string[]) {
      super(url, protocols, { headers: { cookie } });
    }
  }
  const client = new Centrifuge(`ws://${host}/connection/websocket`, {
    websocket: WebSocketWithCookie,
  });
  onTestFinished(() => client.disconnect());
  client.connect();
  return client;
}

test('what is posted reaches a connected user, and the program ends in order', async () => {
  const { child, host } = await startExample();
  const client = connect(host, 'theme=dark; user=ann');
  const received: PublicationContext[] = [];
  const subscription = client.newSubscription('chat');
  subscription.on('publication', (publication) => received.push(publication));
  subscription.subscribe();
  await subscription.ready();
  const response = await fetch(`http://${host}/messages`, { method: 'POST', body: 'hello' });
  expect(await response.text()).toBe('1');
  await expect.poll(() => received).toMatchObject([{ data: { text: 'hello' }, offset: 1 }]);
  const told = once(client as never, 'connecting');
  child.kill('SIGTERM');
  expect(await told).toMatchObject([{ code: 3001 }]);
  expect(await once(child, 'exit')).toEqual([0, null]);
});

test('who has no session does not get in', async () => {
  const { host } = await startExample();
  const stranger = connect(host, '');
  expect(await once(stranger as never, 'disconnected')).toMatchObject([{ code: 3501 }]);
});
