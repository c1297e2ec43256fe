// Decides for Holdfast who connects, subscribes and publishes. Start it with `node backend.mjs`.
import { createServer } from 'node:http';

const sessions = new Map([['session=secret-of-ann', { id: '42', name: 'Ann' }]]);
const members = new Map([['chat:garden', new Set(['42'])]]);
const inMinutes = (minutes) => Math.floor(Date.now() / 1000) + minutes * 60;

const hooks = new Map([
  ['/connect', connect],
  ['/refresh', refresh],
  ['/subscribe', subscribe],
  ['/publish', publish],
]);

function connect(_question, headers) {
  const user = sessions.get(headers.cookie ?? '');
  if (user === undefined) return { disconnect: { code: 4501, reason: 'sign in first' } };
  return { result: { user: user.id, info: { name: user.name }, expire_at: inMinutes(15) } };
}

function refresh({ user }) {
  const isSignedIn = [...sessions.values()].some(({ id }) => id === user);
  return { result: isSignedIn ? { expire_at: inMinutes(15) } : { expired: true } };
}

function subscribe({ user, channel }) {
  if (members.get(channel)?.has(user)) return { result: {} };
  return { error: { code: 403, message: 'members only' } };
}

function publish({ data }) {
  return { result: { data: { text: String(data?.text), at: new Date().toISOString() } } };
}

const server = createServer(async (request, response) => {
  const chunks = await Array.fromAsync(request);
  const question = JSON.parse(Buffer.concat(chunks).toString());
  const hook = hooks.get(request.url);
  if (hook === undefined) return response.writeHead(404).end();
  return response.end(JSON.stringify(hook(question, request.headers)));
});
server.listen(Number(process.env.PORT ?? 3000), '127.0.0.1', () => {
  console.log(`listening on ${server.address().port}`);
});
