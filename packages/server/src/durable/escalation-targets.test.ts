import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { verifyWebhook } from '@holdfast/inbox';
import { expect, onTestFinished, test, vi } from 'vitest';
import { startTestServer, testApiKey } from '../testing/started-server.ts';
import { temporaryFolder } from '../testing/temporary-folder.ts';
import { createAddressBook } from './escalation-targets.ts';

interface Received {
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

/** A backend that keeps what it is sent. */
async function startBackend(
  answer: (request: Received) => { readonly status?: number; readonly body?: string } = () => ({}),
): Promise<{ readonly url: string; readonly received: readonly Received[] }> {
  const received: Received[] = [];
  const server = createServer((request, response) => {
    let body = '';
    request.setEncoding('utf8').on('data', (piece: string) => (body += piece));
    request.on('end', () => {
      const kept = { headers: request.headers, body };
      received.push(kept);
      const { status = 200, body: text = '' } = answer(kept);
      response.writeHead(status).end(text);
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}/hook`, received };
}

test('what nobody saw goes to the configured webhook, signed', async () => {
  const backend = await startBackend();
  const secret = 'w'.repeat(32);
  await using server = await startTestServer({
    data_dir: temporaryFolder(),
    store: {},
    inbox: {
      categories: [{ name: 'orders', webhook: true, escalate_after: '0s' }],
      escalation: { webhook: { endpoint: backend.url, secret } },
    },
  });
  await fetch(`${server.url}/api/inbox/send`, {
    method: 'POST',
    headers: { 'X-API-Key': testApiKey, 'Content-Type': 'application/json' },
    body: JSON.stringify({ to: { user: '42' }, category: 'orders', title: 'hello' }),
  });
  await vi.waitFor(() => expect(backend.received).toHaveLength(1), { timeout: 60_000 });
  const [{ headers, body } = { headers: {}, body: '' }] = backend.received;
  expect(JSON.parse(body)).toMatchObject({ user: '42', notification: { title: 'hello' } });
  const signed = `${String(headers['webhook-id'])}.${String(headers['webhook-timestamp'])}.${body}`;
  expect(verifyWebhook(secret, signed, String(headers['webhook-signature']))).toBe(true);
});

const addressing = { to: '{user}', addressEndpoint: '', headers: {} };

test('the address of a user is the user id, or made of it', async () => {
  expect(await createAddressBook(addressing)('eve@example.com')).toBe('eve@example.com');
  const book = createAddressBook({ ...addressing, to: 'mail+{user}@example.com' });
  // Not a pattern of replace.
  expect(await book('$&')).toBe('mail+$&@example.com');
});

test('a backend says the address, or that there is none', async () => {
  const backend = await startBackend(({ body }) => ({
    body: body.includes('"42"') ? '{"email":"eve@example.com"}' : '{}',
  }));
  const book = createAddressBook({
    ...addressing,
    addressEndpoint: backend.url,
    headers: { 'X-Secret': 'geheim' },
  });
  expect(await book('42')).toBe('eve@example.com');
  expect(await book('43')).toBeUndefined();
  expect(backend.received[0]?.headers).toMatchObject({ 'x-secret': 'geheim' });
});

test.each([
  ['500', { status: 500 }, /answered 500/],
  ['a redirect', { status: 302 }, /answered 302/],
  ['no JSON', { body: 'eve@example.com' }, /no JSON/],
  ['too much', { body: `"${'x'.repeat(100_000)}"` }, /too long/],
])('a backend that answers %s is tried again later', async (_, answer, message) => {
  const backend = await startBackend(() => answer);
  const book = createAddressBook({ ...addressing, addressEndpoint: backend.url });
  await expect(Promise.resolve(book('42'))).rejects.toThrow(message);
});
