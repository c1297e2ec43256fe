import { testBackends } from '@holdfast/store/testing';
import { describe, expect, test } from 'vitest';
import { codeOf, openBench, type Bench } from './testing/bench.ts';

async function family(bench: Bench, children: number) {
  const { tasks } = bench;
  const { id } = await tasks.request({ kind: 'parent', owner: 'eve' });
  const lease = await bench.claimOne('parent');
  const answers = await tasks.requestAll(
    Array.from({ length: children }, () => ({ kind: 'plain', owner: 'eve', parent: lease })),
  );
  await tasks.complete(lease, 'own work');
  return { id, lease, children: answers.map((answer) => answer.id) };
}

describe.each(testBackends)('trees on $name', (backend) => {
  test('a parent ends with its last child', async () => {
    await using database = await backend.create();
    await using bench = await openBench(database);
    const { tasks } = bench;
    const { id, children } = await family(bench, 2);
    expect(await tasks.get(id)).toMatchObject({
      status: 'waiting_for_children',
      children: { total: 2, open: 2 },
      childIds: children,
    });
    await tasks.complete(await bench.claimOne('plain'));
    expect((await tasks.get(id)).status).toBe('waiting_for_children');
    await tasks.complete(await bench.claimOne('plain'));
    expect(await tasks.get(id)).toMatchObject({ status: 'completed', result: 'own work' });
  });

  test('children that finish in the same instant end their parent once', async () => {
    await using database = await backend.create();
    await using bench = await openBench(database);
    const { tasks } = bench;
    for (let round = 0; round < 5; round += 1) {
      const { id } = await family(bench, 8);
      const leases = await tasks.claim({ kinds: ['plain'], worker: 'w', limit: 8 });
      await Promise.all(leases.map((lease) => tasks.complete(lease)));
      expect(await tasks.get(id)).toMatchObject({
        status: 'completed',
        children: { total: 8, open: 0, failed: 0 },
      });
      const events = await bench.events();
      const ends = events.filter(
        ({ channel, event }) =>
          channel.startsWith(`task:${id}`) &&
          event.type === 'task' &&
          event.changes.includes('completed'),
      );
      expect(ends).toHaveLength(1);
    }
  });

  test.each([
    { name: 'some fail', failures: 1, status: 'partial', reason: 'some_children_failed' },
    { name: 'all fail', failures: 2, status: 'failed', reason: 'children_failed' },
  ])('when $name, that is how the parent ends', async ({ failures, status, reason }) => {
    await using database = await backend.create();
    await using bench = await openBench(database);
    const { tasks } = bench;
    const { id } = await family(bench, 2);
    for (let index = 0; index < 2; index += 1) {
      const lease = await bench.claimOne('plain');
      if (index < failures) await tasks.fail(lease, { message: 'no', isRetryable: false });
      else await tasks.complete(lease);
    }
    expect(await tasks.get(id)).toMatchObject({ status, reason });
  });

  test('a child that is lost for good ends the wait of its parents, however deep', async () => {
    await using database = await backend.create();
    await using bench = await openBench(database);
    const { tasks, clock } = bench;
    const top = await tasks.request({ kind: 'parent' });
    const topLease = await bench.claimOne('parent');
    const middle = await tasks.request({ kind: 'parent', parent: topLease });
    await tasks.complete(topLease);
    const middleLease = await bench.claimOne('parent');
    await tasks.request({ kind: 'plain', parent: middleLease, attempts: 1 });
    await tasks.complete(middleLease);
    await bench.claimOne('plain');
    clock.advance(30_000);
    await tasks.sweep();
    expect(await tasks.get(middle.id)).toMatchObject({ status: 'failed' });
    expect(await tasks.get(top.id)).toMatchObject({ status: 'failed', reason: 'children_failed' });
  });

  test('a parent whose own work fails waits for its children all the same', async () => {
    await using database = await backend.create();
    await using bench = await openBench(database);
    const { tasks } = bench;
    const { id } = await tasks.request({ kind: 'parent' });
    const lease = await bench.claimOne('parent');
    await tasks.request({ kind: 'plain', parent: lease });
    await tasks.fail(lease, { message: 'no', isRetryable: false });
    expect((await tasks.get(id)).status).toBe('waiting_for_children');
    await tasks.complete(await bench.claimOne('plain'));
    expect(await tasks.get(id)).toMatchObject({ status: 'failed', error: 'no' });
  });

  test('a child of two parents counts for both', async () => {
    await using database = await backend.create();
    await using bench = await openBench(database);
    const { tasks } = bench;
    const leases = [];
    for (const owner of ['a', 'b']) {
      await tasks.request({ kind: 'parent', owner });
      const lease = await bench.claimOne('parent');
      await tasks.request({ kind: 'plain', key: 'shared', parent: lease });
      await tasks.complete(lease);
      leases.push(lease);
    }
    const child = await bench.claimOne('plain');
    expect((await tasks.get(child.id)).parentIds).toHaveLength(2);
    await tasks.cancel(leases[0]?.id ?? '');
    expect((await tasks.get(child.id)).status).toBe('running');
    await tasks.complete(child);
    expect((await tasks.get(leases[0]?.id ?? '')).status).toBe('cancelled');
    expect((await tasks.get(leases[1]?.id ?? '')).status).toBe('completed');
  });

  test('nobody waits for himself in a circle', async () => {
    await using database = await backend.create();
    await using bench = await openBench(database);
    const { tasks } = bench;
    await tasks.request({ kind: 'plain', key: 'a' });
    const a = await bench.claimOne('plain');
    await tasks.request({ kind: 'parent', key: 'r' });
    const r = await bench.claimOne('parent');
    const own = tasks.request({ kind: 'plain', key: 'a', parent: a });
    expect(await codeOf(own)).toBe('task_cycle');
    // r waits for a's follow-up; a follow-up of r below a would wait for r.
    await tasks.request({ kind: 'plain', key: 'a', parent: r });
    const circle = tasks.request({ kind: 'parent', key: 'r', parent: a });
    expect(await codeOf(circle)).toBe('task_cycle');
    await tasks.complete(a);
    await tasks.complete(r);
    await tasks.complete(await bench.claimOne('plain'));
    expect((await tasks.get(r.id)).status).toBe('completed');
  });

  test('cancel ends what waits, stops what runs, and cuts off what does not stop', async () => {
    await using database = await backend.create();
    await using bench = await openBench(database);
    const { tasks, clock } = bench;
    const { id, children } = await family(bench, 3);
    const polite = await bench.claimOne('plain');
    const stubborn = await bench.claimOne('plain');
    await tasks.cancel(id);
    const waiting = children.find((child) => child !== polite.id && child !== stubborn.id) ?? '';
    expect((await tasks.get(waiting)).status).toBe('cancelled');
    expect(await tasks.get(polite.id)).toMatchObject({ status: 'cancelling' });
    expect(await tasks.heartbeat(polite)).toMatchObject({ isCancelRequested: true });
    await tasks.release(polite);
    expect((await tasks.get(polite.id)).status).toBe('cancelled');
    await tasks.heartbeat(stubborn);
    clock.advance(10_000);
    expect(await codeOf(tasks.heartbeat(stubborn))).toBe('task_fenced');
    expect((await tasks.get(stubborn.id)).status).toBe('cancelled');
    await tasks.sweep();
    expect(await tasks.get(id)).toMatchObject({ status: 'cancelled', children: { failed: 3 } });
    expect(await tasks.get(stubborn.id)).toMatchObject({ isOver: true, attempt: 1 });
  });

  test('cancelling and finishing at the same time ends every task of the tree', async () => {
    await using database = await backend.create();
    await using bench = await openBench(database);
    const { tasks } = bench;
    const { id } = await family(bench, 6);
    const leases = await tasks.claim({ kinds: ['plain'], worker: 'w', limit: 3 });
    await Promise.allSettled([tasks.cancel(id), ...leases.map((lease) => tasks.complete(lease))]);
    bench.clock.advance(10_000);
    await tasks.sweep();
    const end = await tasks.get(id);
    expect(end.isOver).toBe(true);
    expect(end.children.open).toBe(0);
  });

  test('a batch tells how its tasks ended', async () => {
    await using database = await backend.create();
    await using bench = await openBench(database);
    const { tasks } = bench;
    const plain = { kind: 'plain' };
    const batch = await tasks.batch([plain, plain, plain], { owner: 'eve', idempotencyKey: 'b' });
    expect(batch.children).toHaveLength(3);
    expect((await tasks.batch([plain], { owner: 'eve', idempotencyKey: 'b' })).id).toBe(batch.id);
    const [first, ...rest] = await tasks.claim({ kinds: ['plain'], worker: 'w', limit: 3 });
    if (first === undefined) throw new Error('nothing claimed');
    await tasks.fail(first, { message: 'no', isRetryable: false });
    for (const lease of rest) await tasks.complete(lease);
    expect(await tasks.get(batch.id)).toMatchObject({
      status: 'partial',
      children: { total: 3, open: 0, failed: 1 },
    });
    expect((await tasks.list({ parent: batch.id })).length).toBe(3);
    expect((await tasks.get((await tasks.batch([])).id)).status).toBe('completed');
  });
});
