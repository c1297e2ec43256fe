import { testBackends } from '@holdfast/store/testing';
import { describe, expect, test, vi } from 'vitest';
import { openInbox, type InboxFixture } from '../testing/inbox-fixture.ts';
import { createInboxHandler, type InboxHandlerOptions } from './handler.ts';
import { inboxOpenApi } from './open-api.ts';
import { routes } from './routes.ts';

interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: {
    readonly error?: { readonly code: string; readonly message: string };
  } & Readonly<Record<string, unknown>>;
}

/** Asks the handler as a server with the key `key` does, or as the user whose token it is. */
function client(fixture: InboxFixture, options: Partial<InboxHandlerOptions> = {}) {
  const handler = createInboxHandler(fixture.inbox, {
    authenticateServer: (request) => request.headers.get('x-api-key') === 'key',
    authenticateUser: (request) =>
      /^Bearer (.*)$/.exec(request.headers.get('authorization') ?? '')?.[1],
    ...options,
  });
  return async (
    as: string | undefined,
    request: string,
    ...[body, headers = {}]: [body?: unknown, headers?: Record<string, string>]
  ): Promise<Answer> => {
    const [method = 'GET', path = ''] = request.split(' ');
    const credentials: Record<string, string> =
      as === undefined
        ? {}
        : as === 'server'
          ? { 'x-api-key': 'key' }
          : { authorization: `Bearer ${as}` };
    const response = await handler(
      new Request(`http://localhost${path}`, {
        method,
        headers: {
          ...credentials,
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
          ...headers,
        },
        ...(body === undefined
          ? {}
          : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
      }),
    );
    if (response === undefined) throw new Error('not an address of the inbox');
    return {
      status: response.status,
      headers: response.headers,
      body: (await response.json()) as Answer['body'],
    };
  };
}

describe.each(testBackends)('the HTTP interface on $name', (backend) => {
  test('servers send, users read, acknowledge and set what they want', async () => {
    await using database = await backend.create();
    await using fixture = await openInbox(database);
    const ask = client(fixture, { openTopics: ['news', 'releases.*'] });
    const sent = await ask('server', 'POST /inbox/send', {
      to: { users: ['ann', 'bob'] },
      category: 'orders',
      title: 'left',
      data: { order: 7 },
      idempotencyKey: 'k',
    });
    expect(sent).toMatchObject({ status: 200, body: { state: 'done', created: 2 } });
    expect(sent.headers.get('cache-control')).toBe('no-store');
    const status = await ask('server', `GET /inbox/sends/${String(sent.body.id)}`);
    expect(status.body).toMatchObject({ created: 2, state: 'done' });
    const snapshot = await ask('ann', 'GET /inbox/me?limit=5&status=unread');
    expect(snapshot.body).toMatchObject({
      items: [{ title: 'left', data: { order: 7 } }],
      unread: { total: 1 },
      version: 1,
      channel: 'inbox:#ann',
      position: { epoch: 'test' },
    });
    const [{ id }] = snapshot.body.items as [{ id: string }];
    expect((await ask('ann', 'POST /inbox/me/connect', { device: 'phone' })).body).toMatchObject({
      notifications: [{ id }],
    });
    expect(
      (await ask('ann', 'POST /inbox/me/acknowledge', { device: 'phone', ids: [id] })).body,
    ).toEqual({ acknowledged: [id], notFound: [] });
    expect((await ask('ann', 'POST /inbox/me/read', { ids: [id] })).body).toMatchObject({
      changed: [id],
      unread: { total: 0 },
    });
    expect((await ask('ann', 'POST /inbox/me/unread', { ids: [id] })).status).toBe(200);
    expect((await ask('ann', 'POST /inbox/me/read-all', { upTo: id })).body).toMatchObject({
      changed: [id],
    });
    expect((await ask('ann', 'POST /inbox/me/archive', { ids: [id] })).status).toBe(200);
    expect((await ask('ann', 'POST /inbox/me/unarchive', { ids: [id] })).status).toBe(200);
    const delivery = await ask('server', `GET /inbox/notifications/${id}/delivery`);
    expect(delivery.body).toMatchObject({ user: 'ann', devices: [{ device: 'phone' }] });
    expect((await ask('ann', 'POST /inbox/me/delete', { ids: [id] })).body).toMatchObject({
      changed: [id],
    });
    const wishes = { categories: { ads: { inApp: false } }, quietHours: null };
    expect((await ask('ann', 'PUT /inbox/me/preferences', wishes)).body).toEqual(wishes);
    expect((await ask('ann', 'GET /inbox/me/preferences')).body).toEqual(wishes);
    const change = { categories: { ads: null, '*': { mutedUntil: 5 } } };
    expect((await ask('ann', 'PATCH /inbox/me/preferences', change)).body).toEqual({
      preferences: { categories: { '*': { mutedUntil: 5 } }, quietHours: null },
      version: 9,
    });
    expect(await ask('ann', 'PUT /inbox/me/topics/board')).toMatchObject({
      status: 403,
      body: { error: { code: 'topic_not_open' } },
    });
    expect((await ask('ann', 'PUT /inbox/me/topics/..')).status).toBe(404);
    expect((await ask('ann', 'PUT /inbox/me/topics/Board')).status).toBe(400);
    expect((await ask('server', 'GET /inbox/topics/board')).body).toMatchObject({ subscribers: 0 });
    expect((await ask('ann', 'PUT /inbox/me/topics/news')).body).toEqual({ version: 10 });
    expect((await ask('ann', 'GET /inbox/me?settings=true')).body).toMatchObject({
      settings: { topics: ['news'], preferences: { categories: { '*': { mutedUntil: 5 } } } },
    });
    expect((await ask('server', 'PUT /inbox/users/a%2Fb%20c/topics/news')).status).toBe(200);
    expect((await ask('server', 'GET /inbox/topics/news')).body).toMatchObject({ subscribers: 2 });
    expect((await ask('server', 'GET /inbox/users/a%2Fb%20c/topics')).body).toEqual({
      topics: ['news'],
    });
    expect((await ask('ann', 'PUT /inbox/me/topics/newspaper')).status).toBe(403);
    expect((await ask('ann', 'PUT /inbox/me/topics/releases.')).status).toBe(200);
    for (const topic of ['news', 'releases.']) {
      expect((await ask('ann', `DELETE /inbox/me/topics/${topic}`)).status).toBe(200);
    }
    expect((await ask('ann', 'GET /inbox/me/topics')).body).toEqual({ topics: [] });
    expect((await ask('server', 'GET /inbox/users/bob/counts')).body).toEqual({
      total: 1,
      byCategory: { orders: 1 },
    });
    expect((await ask('server', 'GET /inbox/users/bob/notifications')).body).toMatchObject({
      items: [{ title: 'left' }],
      nextCursor: null,
    });
    expect((await ask('bob', 'POST /inbox/me/read-all', '')).body).toMatchObject({ version: 2 });
    const cancelled = await ask('server', `POST /inbox/sends/${String(sent.body.id)}/cancel`, {
      recall: true,
    });
    expect(cancelled.body).toMatchObject({
      state: 'done',
      recalled: 1,
      recalledAt: expect.any(Number),
    });
    const later = await ask('server', `GET /inbox/sends/${String(sent.body.id)}`);
    expect(later.body).toEqual(cancelled.body);
    expect((await ask('bob', 'GET /inbox/me/counts')).body).toMatchObject({ total: 0 });
  });

  test('a batch answers for each request, a stream takes any number of users', async () => {
    await using database = await backend.create();
    await using fixture = await openInbox(database);
    const ask = client(fixture);
    const good = { to: { user: 'ann' }, category: 'a', title: 't' };
    const batch = await ask('server', 'POST /inbox/batch', {
      sends: [good, { ...good, link: 'javascript:alert(1)' }, good],
    });
    expect(batch.body.results).toMatchObject([
      { state: 'done' },
      { error: { code: 'inbox_invalid' } },
      { state: 'done' },
    ]);
    const users = Array.from({ length: 1200 }, (_, index) => JSON.stringify(`u${index}`));
    const lines = [JSON.stringify({ category: 'a', title: 'all' }), ...users].join('\n');
    const ndjson = { 'content-type': 'application/x-ndjson' };
    const stream = await ask('server', 'POST /inbox/send', lines, ndjson);
    expect(stream.body).toMatchObject({ recipients: 1200 });
    const broken = await ask('server', 'POST /inbox/send', `${lines}\nnonsense`, ndjson);
    expect(broken.body.error).toMatchObject({
      code: 'inbox_invalid',
      message: 'recipient 1201 must be a line with a JSON string',
    });
    const nameless = await ask('server', 'POST /inbox/send', `${lines}\n""`, ndjson);
    expect(nameless.body.error?.message).toMatch(/^recipient 1201 must have 1 to 255/);
    await vi.waitFor(
      async () => {
        const status = await ask('server', `GET /inbox/sends/${String(stream.body.id)}`);
        expect(status.body).toMatchObject({ state: 'done', created: 1200 });
      },
      { timeout: 60_000, interval: 20 },
    );
    const few = client(fixture, { maxRecipients: 10 });
    expect((await few('server', 'POST /inbox/send', lines, ndjson)).body.error?.message).toContain(
      '10 recipients',
    );
  });

  test('a stream is read to its end, also when its send is refused or was done before', async () => {
    await using database = await backend.create();
    await using fixture = await openInbox(database);
    const handle = createInboxHandler(fixture.inbox, {
      authenticateServer: () => true,
      authenticateUser: () => undefined,
      maxRecipients: 2000,
    });
    const users = Array.from({ length: 1000 }, (_, index) => `"u${index}"\n`);
    const stream = async (...lines: string[]): Promise<unknown[]> => {
      const left = [...lines];
      const body = new ReadableStream<Uint8Array>({
        pull(controller) {
          const line = left.shift();
          if (line === undefined) controller.close();
          else controller.enqueue(Buffer.from(line));
        },
      });
      const response = await handle(
        new Request('http://localhost/inbox/send', {
          method: 'POST',
          headers: { 'content-type': 'application/x-ndjson' },
          body,
          duplex: 'half',
        }),
      );
      const answer = (await response?.json()) as { repeated?: boolean; error?: { code: string } };
      return [answer.error?.code ?? answer.repeated, left.length];
    };
    const head = (title: string): string =>
      `${JSON.stringify({ category: 'a', title, idempotencyKey: 'k' })}\n`;
    expect(await stream(head('x'), ...users)).toEqual([false, 0]);
    expect(await stream(head('x'), ...users)).toEqual([true, 0]);
    expect(await stream(head('y'), ...users)).toEqual(['inbox_idempotency_conflict', 0]);
    expect(await stream(head(''), ...users)).toEqual(['inbox_invalid', 0]);
    expect(await stream('nonsense\n', ...users)).toEqual(['inbox_invalid', 0]);
    expect(await stream('{"category":"a","title":"z"}\n', '7\n', ...users)).toEqual([
      'inbox_invalid',
      0,
    ]);
    const [code, left] = await stream(head('x'), ...users, ...users, ...users);
    expect([code, Number(left) > 900]).toEqual([true, true]);
  });

  test('servers find what a receiver did not take, and have it tried again', async () => {
    await using database = await backend.create();
    let isBroken = true;
    const taken: string[] = [];
    await using fixture = await openInbox(database, {
      categories: { '*': { webhook: true, escalateAfterMs: 0 } },
      escalation: {
        webhook: {
          deliver({ id }) {
            if (isBroken) return Promise.reject(new Error('the receiver is broken'));
            taken.push(id);
            return Promise.resolve();
          },
        },
        maxAttempts: 1,
      },
    });
    const ask = client(fixture);
    await ask('server', 'POST /inbox/send', { to: { user: 'ann' }, category: 'a', title: 't' });
    const letters = async () =>
      (await ask('server', 'GET /inbox/dead-letters?limit=5')).body.items as { id: string }[];
    await vi.waitFor(async () => expect(await letters()).toHaveLength(1), { timeout: 60_000 });
    const [letter] = await letters();
    expect(letter).toMatchObject({
      user: 'ann',
      target: 'webhook',
      attempts: 1,
      lastError: 'the receiver is broken',
    });
    expect((await ask('server', 'GET /inbox/dead-letters?target=email')).body).toEqual({
      items: [],
      nextCursor: null,
    });
    const retry = 'POST /inbox/dead-letters/retry';
    expect(await ask('server', retry, { ids: ['x'] })).toMatchObject({
      status: 404,
      body: { error: { code: 'inbox_not_found', message: 'there is no such dead letter' } },
    });
    expect((await ask('server', retry, { target: 'fax' })).body.error?.message).toMatch(/^target/);
    isBroken = false;
    expect((await ask('server', retry, '')).body).toEqual({
      retried: [letter?.id],
      skipped: [],
      notFound: [],
      nextCursor: null,
    });
    await vi.waitFor(() => expect(taken).toEqual([letter?.id]), { timeout: 60_000 });
    expect(await letters()).toEqual([]);
    expect((await ask('server', retry, { ids: [letter?.id] })).body).toMatchObject({
      retried: [],
      skipped: [{ id: letter?.id, reason: 'not_dead' }],
    });
  });

  test('foreign ids do not exist, and nobody gets in without a key or token', async () => {
    await using database = await backend.create();
    await using fixture = await openInbox(database);
    const ask = client(fixture);
    await ask('server', 'POST /inbox/send', { to: { user: 'ann' }, category: 'a', title: 't' });
    const { items } = await fixture.inbox.list('ann');
    for (const name of ['read', 'unread', 'archive', 'unarchive', 'delete']) {
      const foreign = await ask('bob', `POST /inbox/me/${name}`, { ids: [items[0]!.id] });
      const unknown = await ask('bob', `POST /inbox/me/${name}`, { ids: ['no-such-id'] });
      expect(foreign).toMatchObject({ status: 404, body: { error: { code: 'inbox_not_found' } } });
      expect(foreign.body).toEqual(unknown.body);
    }
    expect(await fixture.inbox.list('ann')).toMatchObject({ items });
    for (const route of routes) {
      const path = route.path.replaceAll(/\{\w+\}/g, 'x');
      const wrong = route.side === 'server' ? ['ann', undefined] : ['', undefined, 'server'];
      for (const as of wrong) {
        const answer = await ask(as, `${route.method} /inbox${path}`);
        expect([route.path, answer.status, answer.body.error?.code]).toEqual([
          route.path,
          401,
          'unauthorized',
        ]);
      }
    }
  });

  test('bad requests get a clear answer', async () => {
    await using database = await backend.create();
    await using fixture = await openInbox(database);
    const problems: unknown[] = [];
    const ask = client(fixture, {
      maxBodyBytes: 1000,
      onProblem: (problem) => problems.push(problem),
    });
    const send = 'POST /inbox/send';
    const good = { to: { user: 'ann' }, category: 'a', title: 't' };
    // What is left of the body would be taken for the next request.
    const tooLong = await ask('server', send, { ...good, body: 'x'.repeat(1000) });
    expect(tooLong.headers.get('connection')).toBe('close');
    const cases: [number, string, RegExp, Promise<Answer>][] = [
      [404, 'not_found', /address/, ask('server', 'GET /inbox/nothing')],
      [404, 'not_found', /address/, ask('server', 'GET /inbox/users/%E0%A4%A/counts')],
      [405, 'method_not_allowed', /POST/, ask('server', 'GET /inbox/send')],
      [415, 'unsupported_media_type', /json/, ask('server', send, 'a=b', { 'content-type': 'x' })],
      [413, 'too_large', /1000 bytes/, ask('server', send, { ...good, body: 'x'.repeat(1000) })],
      [400, 'inbox_invalid', /not JSON/, ask('server', send, '{')],
      [
        400,
        'inbox_invalid',
        /^to: .*"user": "42".*text/,
        ask('server', send, { ...good, to: { user: 1 } }),
      ],
      [
        400,
        'inbox_invalid',
        /^title is missing$/,
        ask('server', send, { ...good, title: undefined }),
      ],
      [400, 'inbox_invalid', /^to is missing$/, ask('server', send, '')],
      [400, 'inbox_invalid', /^title .*blank/, ask('server', send, { ...good, title: ' \u200b' })],
      [400, 'inbox_invalid', /Unrecognized.*prio/, ask('server', send, { ...good, prio: 1 })],
      [400, 'inbox_invalid', /limit/, ask('ann', 'GET /inbox/me?limit=1000')],
      [400, 'inbox_invalid', /cursor/, ask('ann', 'GET /inbox/me?cursor=zzz')],
      [400, 'inbox_invalid', /upTo/, ask('ann', 'POST /inbox/me/read-all', { upTo: 'zzz' })],
      [400, 'inbox_invalid', /seconds/, ask('server', send, { ...good, expiresAt: 1_770_000_000 })],
      [400, 'inbox_invalid', /status/, ask('ann', 'GET /inbox/me?status=new')],
      [400, 'inbox_invalid', /ids/, ask('ann', 'POST /inbox/me/read', { ids: [] })],
      [404, 'inbox_not_found', /no send/, ask('server', 'GET /inbox/sends/x')],
    ];
    for (const [status, code, message, answering] of cases) {
      const { body, status: actual } = await answering;
      expect([actual, body.error?.code]).toEqual([status, code]);
      expect(body.error?.message).toMatch(message);
    }
    await ask('server', send, { ...good, idempotencyKey: 'k' });
    expect((await ask('server', send, { ...good, title: 'u', idempotencyKey: 'k' })).status).toBe(
      409,
    );
    expect(problems).toEqual([]);
    await fixture.inbox.close();
    await fixture.store.close();
    const batch = await ask('server', 'POST /inbox/batch', {
      sends: [good, { ...good, title: '' }],
    });
    expect(batch).toMatchObject({
      status: 200,
      body: {
        results: [
          { error: { code: 'store_closed', message: 'the server cannot do this now' } },
          { error: { code: 'inbox_invalid' } },
        ],
      },
    });
    expect(problems.splice(0)).toHaveLength(1);
    const closed = await ask('server', send, good);
    expect(closed).toMatchObject({
      status: 503,
      body: { error: { code: 'store_closed', message: 'the server cannot do this now' } },
    });
    expect(problems).toHaveLength(1);
  });
});

test('other addresses are left to others', async () => {
  const handler = createInboxHandler({} as InboxFixture['inbox'], {
    authenticateServer: () => true,
    authenticateUser: () => 'ann',
  });
  expect(await handler(new Request('http://localhost/api/publish'))).toBeUndefined();
  expect(await handler(new Request('http://localhost/inboxes'))).toBeUndefined();
});

test('the OpenAPI document describes every route', () => {
  const { paths, securitySchemes } = inboxOpenApi();
  const operations = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ path, method, operation })),
  ) as {
    path: string;
    method: string;
    operation: { operationId: string; security: object[]; parameters: { name: string }[] };
  }[];
  expect(operations).toHaveLength(routes.length);
  const ids = new Set(operations.map(({ operation }) => operation.operationId));
  expect(ids.size).toBe(routes.length);
  for (const { path, operation } of operations) {
    const [scheme = ''] = Object.keys(operation.security[0] ?? {});
    expect(Object.keys(securitySchemes)).toContain(scheme);
    expect(scheme).toBe(path.startsWith('/inbox/me') ? 'userToken' : 'apiKey');
    for (const [, name] of path.matchAll(/\{(\w+)\}/g)) {
      expect(operation.parameters.map((parameter) => parameter.name)).toContain(name);
    }
  }
  expect(JSON.stringify(paths)).toContain('application/x-ndjson');
});
