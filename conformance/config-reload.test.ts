import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { Centrifuge } from 'centrifuge';
import { SignJWT } from 'jose';
import { expect, onTestFinished, test, vi } from 'vitest';
import { WebSocket } from 'ws';
import { type Program, startProgram } from './program.ts';
import { Authority } from './proxies/certificates.ts';

const patient = { timeout: 60_000, interval: 50 };

const firstSecret = 'the first secret, of more than thirty-two bytes';
const secondSecret = 'the second secret, of more than thirty-two bytes';
const apiKey = 'a key of the backend';

function tokenBy(secret: string): Promise<string> {
  return new SignJWT({ sub: 'ann' })
    .setProtectedHeader({ alg: 'HS256', typ: 'JWT' })
    .setExpirationTime('1h')
    .sign(new TextEncoder().encode(secret));
}

const namespace = (name: string) => ({ name, allow_subscribe_for_client: true });

interface Reloadable {
  readonly program: Program;
  readonly url: string;
  /** Writes the file anew and asks the server to read it; resolves with what it says of that. */
  readonly reload: (text: string, said: RegExp) => Promise<string>;
}

/** The real program with a configuration file. */
async function serve(sections: object): Promise<Reloadable> {
  const cwd = mkdtempSync(path.join(tmpdir(), 'holdfast-reload-'));
  const file = path.join(cwd, 'config.json');
  writeFileSync(file, JSON.stringify(sections));
  const program = startProgram(['serve', '--config', file], { cwd });
  onTestFinished(async () => {
    program.process.kill('SIGKILL');
    await program.ended;
    rmSync(cwd, { recursive: true, force: true });
  });
  const [, url = ''] = await program.seen(/"addresses":\["([^"]+)".*is running/);
  return {
    program,
    url,
    async reload(text, said) {
      writeFileSync(file, text);
      const before = program.output.out.length;
      program.process.kill('SIGHUP');
      await vi.waitFor(() => expect(program.output.out.slice(before)).toMatch(said), patient);
      return program.output.out.slice(before);
    },
  };
}

/** An unmodified SDK, and every event that says it did not just stay connected. */
function connect({ url }: Reloadable, token: string, origin?: string) {
  class Socket extends WebSocket {
    constructor(address: string, protocols: string[]) {
      super(address, protocols, origin === undefined ? {} : { origin });
    }
  }
  const client = new Centrifuge(`${url.replace('http', 'ws')}/connection/websocket`, {
    token,
    websocket: Socket,
  });
  onTestFinished(() => client.disconnect());
  const events: string[] = [];
  client.on('connected', () => events.push('connected'));
  client.on('connecting', ({ code }) => events.push(`connecting ${code}`));
  client.on('disconnected', ({ code }) => events.push(`disconnected ${code}`));
  client.connect();
  return { client, events };
}

async function publish({ url }: Reloadable, channel: string): Promise<unknown> {
  const response = await fetch(`${url}/api/publish`, {
    method: 'POST',
    headers: { 'X-API-Key': apiKey },
    body: JSON.stringify({ channel, data: channel }),
  });
  return response.json();
}

test('SIGHUP brings namespaces, keys, origins and limits, and disturbs nobody', async () => {
  const base = {
    http_server: { address: '127.0.0.1', port: 0 },
    http_api: { key: apiKey },
    store: { enabled: false },
  };
  const before = {
    ...base,
    client: { token: { hmac_secret_key: firstSecret }, allowed_origins: ['https://a.example'] },
    channel: { namespaces: [namespace('news')] },
  };
  const server = await serve(before);
  const firstToken = await tokenBy(firstSecret);
  const secondToken = await tokenBy(secondSecret);
  const { client, events } = connect(server, firstToken, 'https://a.example');
  await client.ready(60_000);
  const received: unknown[] = [];
  const news = client.newSubscription('news:1');
  news.on('publication', ({ data }) => received.push(data));
  news.subscribe();
  await news.ready(60_000);
  expect(await publish(server, 'chat:1')).toMatchObject({ error: { code: 102 } });

  const wrong = await server.reload(
    '{ "client": { "ping_interval": "x" } }',
    /nothing was changed/,
  );
  expect(wrong).toContain('client.ping_interval is \\"x\\", because it must be a duration');
  expect(await server.reload('{ no JSON', /nothing was changed/)).toContain('config.json');

  const said = await server.reload(
    JSON.stringify({
      ...base,
      http_server: { address: '127.0.0.1', port: 0, internal_port: 9 },
      client: {
        token: { hmac_secret_key: secondSecret },
        allowed_origins: ['https://b.example'],
        user_connection_limit: 2,
      },
      channel: { namespaces: [namespace('news'), namespace('chat')] },
    }),
    /needs a restart/,
  );
  expect(said).toMatch(/"msg":"needs a restart: http_server\.internal_port"/);
  expect(said).toContain('"client.token.hmac_secret_key"');
  expect(said).toContain('"channel.namespaces[chat].name"');
  expect(said).not.toContain(secondSecret);

  // Who is there stays, and has what is new at once.
  const chat = client.newSubscription('chat:1');
  chat.on('publication', ({ data }) => received.push(data));
  chat.subscribe();
  await chat.ready(60_000);
  await publish(server, 'news:1');
  await publish(server, 'chat:1');
  await vi.waitFor(() => expect(received).toEqual(['news:1', 'chat:1']), patient);
  expect(events).toEqual(['connecting 0', 'connected']);

  // Who comes meets the new rules.
  const old = connect(server, firstToken, 'https://b.example');
  await vi.waitFor(() => expect(old.events).toContain('disconnected 3500'), patient);
  const knocks = await fetch(`${server.url}/connection/http_stream`, {
    method: 'POST',
    headers: { origin: 'https://a.example' },
    body: '{}',
  });
  expect(knocks.status).toBe(403);
  const second = connect(server, secondToken, 'https://b.example');
  await second.client.ready(60_000);
  const third = connect(server, secondToken, 'https://b.example');
  await vi.waitFor(() => expect(third.events).toContain('disconnected 3504'), patient);

  expect(await server.reload(JSON.stringify(before), /taken over/)).not.toContain(
    'needs a restart',
  );
  expect(await server.reload(JSON.stringify(before), /is as before/)).toContain('as before');
  expect(await publish(server, 'chat:1')).toMatchObject({ error: { code: 102 } });
  expect(events).toEqual(['connecting 0', 'connected']);
  server.program.process.kill('SIGTERM');
  expect(await server.program.ended).toBe(0);
});

test('SIGHUP brings a renewed certificate to those who come', async () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'holdfast-renewed-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const [cert, key] = [path.join(folder, 'cert.pem'), path.join(folder, 'key.pem')];
  const install = (made: { readonly cert: string; readonly key: string }): string => {
    copyFileSync(made.cert, cert);
    copyFileSync(made.key, key);
    return new X509Certificate(readFileSync(cert)).fingerprint256;
  };
  using authority = new Authority();
  const first = authority.issue();
  const second = authority.issue();
  const sections = {
    http_server: {
      address: '127.0.0.1',
      port: 0,
      tls: { enabled: true, cert_pem: cert, key_pem: key },
    },
    store: { enabled: false },
  };
  const before = install(first);
  const server = await serve(sections);
  const meet = async (): Promise<TLSSocket> => {
    const { hostname, port } = new URL(server.url);
    const socket = connectTls({ host: hostname, port: Number(port), rejectUnauthorized: false });
    onTestFinished(() => void socket.destroy());
    await once(socket, 'secureConnect');
    return socket;
  };
  const early = await meet();
  expect(early.getPeerCertificate().fingerprint256).toBe(before);

  install({ cert: second.cert, key: first.key });
  const text = JSON.stringify(sections);
  expect(await server.reload(text, /nothing was changed/)).toContain('cannot be used together');
  expect((await meet()).getPeerCertificate().fingerprint256).toBe(before);

  const after = install(second);
  await server.reload(text, /certificates were read again/);
  expect((await meet()).getPeerCertificate().fingerprint256).toBe(after);
  expect(early.destroyed).toBe(false);
});
