import { testBackends } from '@holdfast/store/testing';
import { describe, expect, test } from 'vitest';
import { openBench, type Bench } from '../testing/bench.ts';
import { createTasksHandler, type TasksHandlerOptions } from './handler.ts';
import { tasksOpenApi } from './open-api.ts';
import { routes } from './routes.ts';

type Json = Readonly<Record<string, unknown>>;

/** Asks the handler as the application's server, or as the user with this name. */
function client({ tasks }: Bench, options: Partial<TasksHandlerOptions> = {}) {
  const handler = createTasksHandler(tasks, {
    authenticateServer: (request) => request.headers.get('x-api-key') === 'key',
    authenticateUser: (request) =>
      /^Bearer (.*)$/.exec(request.headers.get('authorization') ?? '')?.[1],
    isAdmin: (user) => user === 'root',
    ...options,
  });
  const respond = async (
    as: string,
    request: string,
    { body, headers = {} }: { body?: unknown; headers?: Record<string, string> } = {},
  ): Promise<Response> => {
    const [method = '', path = ''] = request.split(' ');
    const credentials: Record<string, string> =
      as === 'server' ? { 'x-api-key': 'key' } : { authorization: `Bearer ${as}` };
    const response = await handler(
      new Request(`http://localhost/tasks${path}`, {
        method,
        headers: { ...credentials, 'content-type': 'application/json', ...headers },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      }),
    );
    if (response === undefined) throw new Error('not an address of tasks');
    return response;
  };
  const ask = async (as: string, request: string, body?: unknown) => {
    const response = await respond(as, request, { body });
    const answer = (await response.json()) as Json & { readonly error?: { readonly code: string } };
    return { status: response.status, code: answer.error?.code, body: answer };
  };
  return { ask, respond };
}

describe.each(testBackends)('tasks over HTTP on $name', (backend) => {
  test('a server asks, watches, cancels, retries and deletes', async () => {
    await using database = await backend.create();
    await using bench = await openBench(database);
    const { ask } = client(bench);
    const payload = { account: 'a', window: { from: '2', to: '3' } };
    const asked = await ask('server', 'POST /', { kind: 'sync', owner: 'eve', payload });
    expect(asked.status).toBe(404);
    const started = await ask('server', 'POST ', { kind: 'sync', owner: 'eve', payload });
    expect(started.body).toMatchObject({ outcome: 'started', task: { owner: 'eve' } });
    const id = String(started.body['id']);
    expect((await ask('server', 'POST ', { kind: 'sync', payload })).body).toMatchObject({
      id,
      outcome: 'joined',
    });
    const claimed = await bench.claimOne('sync');
    await bench.tasks.output(claimed, [{ data: 'one' }, { data: 'two' }, { data: 'three' }]);
    expect((await ask('server', 'POST ', { kind: 'sync', payload })).body).toMatchObject({
      outcome: 'queued',
    });
    const snapshot = await ask('server', `GET /${id}`);
    expect(snapshot.body).toMatchObject({
      task: { id, status: 'running', payload, now: bench.clock.now() },
      channel: `task:${id}#eve`,
    });
    expect((snapshot.body['task'] as Json)['expiresAt']).toBe(bench.clock.now() + 30_000);
    const page = await ask('server', 'GET ?owner=eve&limit=1');
    expect(page.body).toMatchObject({ items: [{ id }], nextCursor: null });
    const all = await ask('server', 'GET ?limit=1&phase=live');
    expect(all.body).toMatchObject({ items: [{ status: 'queued' }] });
    const next = await ask('server', `GET ?limit=1&cursor=${String(all.body['nextCursor'])}`);
    expect(next.body).toMatchObject({ items: [{ id }], nextCursor: null });
    expect((await ask('server', `GET /${id}/output?after=1&limit=1`)).body).toMatchObject({
      chunks: [{ seq: 2, data: 'two' }],
      seq: 3,
      isOver: false,
      channel: `task:${id}#eve`,
    });
    expect((await ask('server', `DELETE /${id}`)).code).toBe('task_not_over');
    expect((await ask('server', `POST /${id}/cancel`)).body).toMatchObject({
      status: 'cancelling',
    });
    expect((await ask('server', `POST /${id}/cancel`)).status).toBe(200);
    bench.clock.advance(40_000);
    await bench.tasks.sweep();
    expect((await ask('server', `POST /${id}/cancel`)).body).toMatchObject({ status: 'cancelled' });
    expect((await ask('server', `POST /${id}/retry`)).body).toMatchObject({ outcome: 'joined' });
    expect((await ask('server', `DELETE /${id}`)).body).toEqual({});
    expect((await ask('server', `GET /${id}`)).code).toBe('task_not_found');
    const batch = await ask('server', 'POST /batch', {
      requests: [{ kind: 'plain' }, { kind: 'plain', payload: 1 }],
    });
    expect(batch.body['children']).toHaveLength(2);
    expect((await ask('server', `GET ?parent=${String(batch.body['id'])}`)).body).toMatchObject({
      items: [{ kind: 'plain' }, { kind: 'plain' }],
    });
  });

  test('kinds tell of their workers, and since when there is none', async () => {
    await using database = await backend.create();
    await using bench = await openBench(database);
    const { ask } = client(bench);
    const { tasks, clock } = bench;
    const plain = async () => {
      const { body } = await ask('server', 'GET /kinds');
      return (body['kinds'] as Json[]).find(({ kind }) => kind === 'plain');
    };
    await tasks.request({ kind: 'plain' });
    const seenAt = clock.now();
    expect(await plain()).toEqual({
      kind: 'plain',
      isOpenToUsers: false,
      workers: 1,
      noWorkerSince: null,
      pending: 1,
      pendingSince: seenAt,
      running: 0,
    });
    clock.advance(60_000);
    expect(await plain()).toMatchObject({ workers: 0, noWorkerSince: seenAt });
    const { body } = await ask('server', 'GET /workers');
    expect(body['workers']).toContainEqual(expect.objectContaining({ id: 'w', isAlive: false }));
  });

  test('schedules are listed, changed, run and cancelled', async () => {
    await using database = await backend.create();
    await using bench = await openBench(database);
    const { ask } = client(bench);
    await bench.tasks.schedules.define('nightly', { kind: 'plain', cron: '30 2 * * *' });
    expect((await ask('server', 'GET /schedules')).body).toMatchObject({
      schedules: [{ name: 'nightly', isPaused: false }],
    });
    expect((await ask('server', 'POST /schedules/nightly/pause')).body).toMatchObject({
      isPaused: true,
      nextAt: null,
    });
    const changed = await ask('server', 'PATCH /schedules/nightly', { everyMs: 60_000 });
    expect(changed.body).toMatchObject({ rule: { everyMs: 60_000 }, isPaused: true });
    expect((await ask('server', 'PATCH /schedules/nightly', { cron: 'x' })).code).toBe(
      'schedule_invalid',
    );
    const run = await ask('server', 'POST /schedules/nightly/run');
    expect(run.body).toMatchObject({ trigger: 'manual', outcome: 'requested' });
    await ask('server', 'POST /schedules/nightly/run');
    const first = await ask('server', 'GET /schedules/nightly/runs?limit=1');
    const rest = await ask(
      'server',
      `GET /schedules/nightly/runs?cursor=${String(first.body['nextCursor'])}`,
    );
    expect(rest.body).toMatchObject({ runs: [{ id: run.body['id'] }], nextCursor: null });
    const path = `POST /schedules/nightly/runs/${String(run.body['id'])}/cancel`;
    expect((await ask('server', path)).body).toMatchObject({ task: { status: 'cancelled' } });
    expect((await ask('server', 'POST /schedules/nightly/resume')).body).toMatchObject({
      isPaused: false,
    });
    for (const unknown of [
      'GET /schedules/no',
      'GET /schedules/no/runs',
      'POST /schedules/no/run',
      'POST /schedules/nightly/runs/no/cancel',
    ]) {
      expect((await ask('server', unknown)).code).toBe('schedule_not_found');
    }
  });

  test('the doctor looks, heals, and leaves a record', async () => {
    await using database = await backend.create();
    await using bench = await openBench(database);
    const { ask } = client(bench);
    const { id } = await bench.tasks.request({ kind: 'plain' });
    await bench.claimOne('plain');
    bench.clock.advance(86_400_000);
    const finding = { subject: id, isHealed: false };
    expect((await ask('server', 'GET /doctor')).body).toMatchObject({ findings: [finding] });
    expect((await ask('server', 'GET /audit')).body).toEqual({ records: [] });
    expect((await ask('server', 'POST /doctor/heal', { actor: 'ann' })).body).toMatchObject({
      findings: [{ subject: id, isHealed: true }],
    });
    expect((await ask('server', 'GET /doctor')).body).toEqual({ findings: [] });
    expect((await ask('server', 'GET /audit')).body).toMatchObject({
      records: [{ subject: id, actor: 'ann' }],
    });
  });

  test('users ask for what is open to them, and reach nothing but their own', async () => {
    await using database = await backend.create();
    await using bench = await openBench(database);
    const { ask } = client(bench);
    const own = await ask('eve', 'POST /me', {
      kind: 'open',
      payload: { account: 'shared' },
      idempotencyKey: 'k',
    });
    expect(own.body).toMatchObject({ outcome: 'started', task: { owner: 'eve' } });
    const id = String(own.body['id']);
    expect(
      (await ask('eve', 'POST /me', { kind: 'open', idempotencyKey: 'k' })).body,
    ).toMatchObject({ id, outcome: 'joined' });
    // Neither a key nor an idempotency key of another user leads to the task.
    const other = await ask('bob', 'POST /me', {
      kind: 'open',
      key: 'shared',
      idempotencyKey: 'k',
    });
    expect(other.body).toMatchObject({ outcome: 'started', task: { owner: 'bob' } });
    expect(other.body['id']).not.toBe(id);
    // The application shares work with its user.
    const request = { kind: 'open', owner: 'eve', key: 'shared' };
    expect((await ask('server', 'POST ', request)).body).toMatchObject({ id, outcome: 'joined' });

    expect((await ask('eve', 'POST /me', { kind: 'plain' })).code).toBe('task_forbidden');
    expect((await ask('eve', 'POST /me', { kind: 'none' })).code).toBe('task_unknown_kind');
    expect((await ask('eve', 'POST /me', { kind: 'open', owner: 'bob' })).code).toBe(
      'task_bad_request',
    );
    const second = await ask('eve', 'POST /me', { kind: 'open' });
    expect(second.status).toBe(200);
    const third = await ask('eve', 'POST /me', { kind: 'open' });
    expect([third.status, third.code]).toEqual([429, 'task_too_many']);

    const list = await ask('eve', 'GET /me?limit=1');
    expect(list.body).toMatchObject({
      items: [{ id: second.body['id'] }],
      nextCursor: second.body['id'],
      channel: 'tasks:#eve',
    });
    expect((await ask('eve', `GET /me?cursor=${String(list.body['nextCursor'])}`)).body).toEqual(
      expect.objectContaining({ items: [expect.objectContaining({ id })], nextCursor: null }),
    );
    expect((await ask('mallory', 'GET /me')).body).toMatchObject({ items: [] });

    const operations = [
      'GET /me/',
      'GET /me//output',
      'GET /me//output?follow=true',
      'POST /me//cancel',
      'POST /me//retry',
      'DELETE /me/',
    ].map((operation) => operation.replace(/(?<=me\/)/, id));
    for (const operation of operations) {
      const refused = await ask('mallory', operation);
      const missing = await ask('mallory', operation.replace(id, 'nothing'));
      expect([refused.status, refused.code]).toEqual([404, 'task_not_found']);
      expect(JSON.stringify(refused.body).replace(id, 'nothing')).toBe(
        JSON.stringify(missing.body),
      );
    }
    expect((await ask('eve', `GET /me/${id}`)).body).toMatchObject({ task: { status: 'pending' } });
    expect((await ask('root', `GET /me/${id}`)).body).toMatchObject({ task: { owner: 'eve' } });

    const claimed = await bench.claimOne('open');
    await bench.tasks.fail(claimed, { message: 'no', isRetryable: false });
    const failed = await ask('eve', `GET /me/${claimed.id}`);
    expect(failed.body).toMatchObject({ task: { status: 'failed', history: [{ worker: null }] } });
    expect((await ask('eve', `POST /me/${claimed.id}/retry`)).body).toMatchObject({
      outcome: 'started',
    });
    expect((await ask('eve', `DELETE /me/${claimed.id}`)).status).toBe(200);
    expect((await ask('root', `POST /me/${String(second.body['id'])}/cancel`)).status).toBe(200);
  });
});

test('output is followed from any place until the task is over', async () => {
  await using database = await testBackends[0]!.create();
  await using bench = await openBench(database);
  const { ask, respond } = client(bench, { maxOutputStreams: 1 });
  const { id } = await bench.tasks.request({ kind: 'plain', owner: 'eve' });
  const claimed = await bench.claimOne('plain');
  await bench.tasks.output(claimed, [{ type: 'token', data: 'Hel' }, { data: 'lo' }]);
  const stream = await respond('eve', `GET /me/${id}/output?follow=true`, {
    headers: { 'last-event-id': '1' },
  });
  expect(stream.headers.get('content-type')).toBe('text/event-stream');
  expect((await ask('eve', `GET /me/${id}/output?follow=true`)).code).toBe('task_too_many');
  const reader = stream.body!.pipeThrough(new TextDecoderStream()).getReader();
  let text = '';
  const readUntil = async (wanted: string) => {
    while (!text.includes(wanted)) {
      const { value, done } = await reader.read();
      if (done) break;
      text += value;
    }
    expect(text).toContain(wanted);
  };
  await readUntil('id: 2\ndata: {"seq":2');
  expect(text).not.toContain('Hel');
  await bench.tasks.output(claimed, [{ data: '!' }]);
  await bench.tasks.complete(claimed, null);
  await readUntil('event: end\ndata: {"seq":3,"refused":0}');
  expect((await reader.read()).done).toBe(true);
  const again = await respond('eve', `GET /me/${id}/output?follow=true&after=3`);
  await again.body?.cancel();
  const last = await respond('eve', `GET /me/${id}/output?follow=true&after=3`);
  expect(await last.text()).toContain('event: end');
});

test('nobody gets in without a key or a token', async () => {
  await using database = await testBackends[0]!.create();
  await using bench = await openBench(database);
  const { respond } = client(bench);
  for (const { method, path, side } of routes) {
    const request = `${method} ${path.replaceAll(/\{\w+\}/g, 'x')}`;
    const response = await respond(side === 'server' ? 'eve' : '', request);
    expect([request, response.status]).toEqual([request, 401]);
  }
});

test('the document describes every operation', () => {
  const { paths } = tasksOpenApi('/api/tasks');
  const ids = Object.values(paths).flatMap((path) =>
    Object.values(path as Record<string, { operationId: string }>).map((one) => one.operationId),
  );
  expect(new Set(ids).size).toBe(routes.length);
  expect(paths).toHaveProperty(['/api/tasks/{id}/output', 'get', 'responses', '200', 'content']);
});
