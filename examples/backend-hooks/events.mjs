// Is told by Holdfast what happens, and keeps who is online. Start it with `SECRET=… node events.mjs`.
import { createHmac, timingSafeEqual } from 'node:crypto';
import { createServer } from 'node:http';

const key = process.env.SECRET ?? '';
const seen = new Set(); // In a real backend: a unique column in the same transaction as the effect.
const online = new Map(); // Connection id → user and node.

function isAuthentic(headers, body) {
  const timestamp = Number(headers['webhook-timestamp']);
  if (!(Math.abs(Date.now() / 1000 - timestamp) < 300)) return false;
  const hmac = createHmac('sha256', key).update(`${headers['webhook-id']}.${timestamp}.${body}`);
  const expected = Buffer.from(`v1,${hmac.digest('base64')}`);
  const given = Buffer.from(headers['webhook-signature'] ?? '');
  return given.length === expected.length && timingSafeEqual(given, expected);
}

function apply(event) {
  if (event.type === 'connect') online.set(event.client, { user: event.user, node: event.node });
  if (event.type === 'disconnect') online.delete(event.client);
  if (event.type !== 'node_lost') return;
  for (const [client, { node }] of online) if (node === event.lost_node) online.delete(client);
}

const server = createServer(async (request, response) => {
  const body = Buffer.concat(await Array.fromAsync(request)).toString();
  if (!isAuthentic(request.headers, body)) return response.writeHead(401).end();
  for (const event of JSON.parse(body).events) {
    if (!seen.has(event.id)) apply(event);
    seen.add(event.id);
  }
  console.log(`online: ${[...online.values()].map(({ user }) => user).join(' ')}`);
  return response.writeHead(204).end();
});
server.listen(Number(process.env.PORT ?? 3001), '127.0.0.1', () => {
  console.log(`listening on ${server.address().port}`);
});
