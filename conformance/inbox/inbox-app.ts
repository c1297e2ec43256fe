import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createHub, createJwtVerifier, type Hub } from '@holdfast/hub';
import { createInbox, createInboxHandler, type Inbox, inboxModule } from '@holdfast/inbox';
import { openStore } from '@holdfast/store';
import { SignJWT } from 'jose';
import { answerFile, listen, type ListeningServer, type PageFiles } from '../pages-server.ts';

const secret = 'a secret of more than thirty-two bytes';

export function tokenOf(user: string): Promise<string> {
  return new SignJWT({ sub: user })
    .setProtectedHeader({ alg: 'HS256', typ: 'JWT' })
    .sign(new TextEncoder().encode(secret));
}

export interface InboxAppOptions {
  /** Of the store. */
  readonly url: string;
  readonly files?: PageFiles;
  /** @defaultValue any free one */
  readonly port?: number;
}

/** An application with an inbox, whose network can be broken and which can be stopped at once. */
export interface InboxApp extends ListeningServer, AsyncDisposable {
  readonly hub: Hub;
  readonly inbox: Inbox;
  /** Requests that users made of the inbox: `POST read` and the like. */
  readonly requests: string[];
  /** Device and notification of every acknowledgement, repeated ones too. */
  readonly acknowledged: string[];
  /** What is answered instead of the inbox, with a status; undefined: the inbox itself. */
  refuseWith: number | undefined;
  /** Operations that are not carried out: a status is answered, as soon as it is there. */
  readonly refusals: Map<string, Promise<number>>;
  /** So many changes are carried out from now on, and their answers are lost. */
  answersToLose: number;
}

/** Starts one on 127.0.0.1. `GET /token?user=ann` gives a token, as an application's session would. */
export async function startInboxApp({
  url: storeUrl,
  files = {},
  port = 0,
}: InboxAppOptions): Promise<InboxApp> {
  const verifier = createJwtVerifier({ hmacSecretKey: secret });
  const hub = createHub({
    tokens: verifier,
    client: { allowedOrigins: ['*'] },
    channel: {
      namespaces: [
        {
          name: 'inbox',
          historySize: 1_000,
          historyTtlMs: 60_000,
          forceRecovery: true,
          allowUserLimitedChannels: true,
        },
      ],
    },
  });
  const store = await openStore({ url: storeUrl, modules: [inboxModule] });
  store.outbox.start({
    publish: async (channel, data, options) => {
      await hub.publish(channel, JSON.parse(Buffer.from(data).toString()), options);
    },
  });
  const inbox = createInbox({
    store,
    position: async (channel) => (await hub.history(channel, { limit: 0 })).position,
    categories: { orders: { email: true } },
    // Nothing is unseen for so long that it is used.
    escalation: { email: { deliver: () => Promise.resolve() } },
  });
  const handle = createInboxHandler(inbox, {
    basePath: '/api/inbox',
    openTopics: ['news', 'sport', 'sale'],
    authenticateServer: () => false,
    authenticateUser: async (request) => {
      const [, token] = /^Bearer (.+)$/.exec(request.headers.get('authorization') ?? '') ?? [];
      if (token === undefined) return undefined;
      const outcome = await verifier.verifyConnection(token);
      return 'user' in outcome ? outcome.user : undefined;
    },
  });
  const requests: string[] = [];
  const acknowledged: string[] = [];
  const refusals: InboxApp['refusals'] = new Map();
  const app = { refuseWith: undefined as number | undefined, answersToLose: 0 };

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const target = new URL(request.url ?? '/', 'http://localhost');
    if (target.pathname === '/token') {
      response.end(await tokenOf(target.searchParams.get('user') ?? ''));
      return;
    }
    if (answerFile(files, target.pathname, response)) return;
    const body = await bodyOf(request);
    const [, operation] = /^\/api\/inbox\/me(?:\/(.*))?$/.exec(target.pathname) ?? ['', undefined];
    requests.push(`${request.method ?? ''} ${operation ?? ''}`);
    const refusal = app.refuseWith ?? (await refusals.get(operation ?? ''));
    if (refusal !== undefined) {
      response.writeHead(refusal).end();
      return;
    }
    if (operation === 'acknowledge') {
      const { device, ids } = JSON.parse(body.toString()) as { device: string; ids: string[] };
      for (const id of ids) acknowledged.push(`${device} ${id}`);
    }
    const answered = await handle(
      new Request(target, {
        method: request.method ?? 'GET',
        headers: Object.entries(request.headers).map(([name, value]) => [
          name,
          value?.toString() ?? '',
        ]),
        ...(body.length === 0 ? {} : { body }),
      }),
    );
    const isOfDevice = operation === 'acknowledge' || operation === 'connect';
    if (request.method !== 'GET' && !isOfDevice && app.answersToLose > 0) {
      app.answersToLose -= 1;
      response.destroy();
      return;
    }
    response.writeHead(answered?.status ?? 404, {
      'content-type': answered?.headers.get('content-type') ?? 'text/plain',
    });
    response.end(answered === undefined ? '' : await answered.text());
  }

  const server = createServer((request, response) => {
    if (hub.handleRequest(request, response)) return;
    answer(request, response).catch(() => response.destroy());
  });
  hub.attach(server);
  const listening = await listen(server, port);
  return Object.assign(app, {
    ...listening,
    hub,
    inbox,
    requests,
    acknowledged,
    refusals,
    async [Symbol.asyncDispose]() {
      await listening.kill();
      await hub.shutdown({ timeoutMs: 0 });
      await inbox.close();
      await store.close();
    },
  });
}

async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}
