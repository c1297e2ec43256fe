import { testBackends } from '@holdfast/store/testing';
import { expect, test } from 'vitest';
import { openBench } from './testing/bench.ts';
import { createWorkerApi } from './worker-api.ts';

const token = 'secret';

test('every bad request of a worker gets an answer with a code', async () => {
  await using database = await testBackends[0]!.create();
  await using bench = await openBench(database);
  const { tasks } = bench;
  const handle = createWorkerApi({ tasks, tokens: ['other', token], maxBodyBytes: 2000 });
  const post = async (path: string, body: unknown, bearer = token): Promise<unknown[]> => {
    const response = await handle(
      new Request(`http://x/api/worker/${path}`, {
        method: 'POST',
        headers: { authorization: `Bearer ${bearer}` },
        body: typeof body === 'string' ? body : JSON.stringify(body),
      }),
    );
    const answer = (await response.json()) as { error?: { code: string } };
    return [response.status, answer.error?.code ?? answer];
  };
  const { id } = await tasks.request({ kind: 'plain', owner: 'eve' });
  const claim = { worker: 'p', kinds: ['plain'] };
  expect(await post('claim', claim, 'wrong')).toEqual([401, 'task_unauthorized']);
  expect(await post('claim', claim, '')).toEqual([401, 'task_unauthorized']);
  expect(await post('claim', '{')).toEqual([400, 'task_bad_request']);
  expect(await post('claim', '[]')).toEqual([400, 'task_bad_request']);
  expect(await post('claim', 'x'.repeat(3000))).toEqual([413, 'task_too_large']);
  expect(await post('claim', { worker: 'p' })).toEqual([400, 'task_bad_request']);
  expect(await post('claim', { worker: 'p', kinds: [7] })).toEqual([400, 'task_unknown_kind']);
  expect(await post('claim', { ...claim, limit: -1 })).toEqual([400, 'task_bad_request']);
  expect(await post('nothing', {})).toEqual([404, 'not_found']);
  expect(await post(`tasks/${id}/dance`, { token: 1 })).toEqual([404, 'not_found']);
  expect(await post('claim', claim)).toMatchObject([200, { tasks: [{ id, token: 1 }] }]);
  const write = (action: string, body: object) =>
    post(`tasks/${id}/${action}`, { token: 1, ...body });
  expect(await write('progress', { fraction: '1' })).toEqual([400, 'task_bad_progress']);
  expect(await write('progress', { fraction: 2 })).toEqual([400, 'task_bad_progress']);
  expect(await write('progress', { steps: [1] })).toEqual([400, 'task_bad_progress']);
  expect(await write('progress', { fraction: 0.5 })).toMatchObject([200, {}]);
  expect(await write('output', { parts: [{ data: 1 }] })).toEqual([400, 'task_bad_request']);
  expect(await write('output', { parts: [{ data: 'x' }] })).toMatchObject([200, { seq: 1 }]);
  expect(await write('fail', {})).toEqual([400, 'task_bad_request']);
  expect(await write('child', { kind: 'plain' })).toMatchObject([200, { outcome: 'started' }]);
  expect(await post(`tasks/${id}/complete`, { token: 2 })).toEqual([409, 'task_fenced']);
  expect(await post(`tasks/${id}/complete`, {})).toEqual([400, 'task_bad_request']);
  const beats = {
    leases: [
      { id, token: 1 },
      { id, token: 9 },
      { id: 'no', token: 1 },
    ],
  };
  expect(await post('heartbeat', beats)).toMatchObject([
    200,
    {
      leases: [
        { isCancelRequested: false },
        { error: { code: 'task_fenced' } },
        { error: { code: 'task_not_found' } },
      ],
    },
  ]);
  expect(await write('complete', { result: { ok: true } })).toEqual([200, {}]);
  const [child] = await tasks.list({ parent: id });
  expect(child).toMatchObject({ owner: 'eve' });
  expect(() => createWorkerApi({ tasks, tokens: [] })).toThrow('at least one token');
});
