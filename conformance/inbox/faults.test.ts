import path from 'node:path';
import { createInbox, inboxModule, type InboxEvent } from '@holdfast/inbox';
import { openStore } from '@holdfast/store';
import { testBackends } from '@holdfast/store/testing';
import { sql } from 'kysely';
import { describe, expect, test, vi } from 'vitest';
import { startChild } from '../child.ts';
import { startRunningTime } from '../running-time.ts';

const sender = path.join(import.meta.dirname, 'sender.ts');
const sends = 2000;
const bigUsers = 3000;

/** Events by channel, as a broker that drops repeated keys delivers them. */
class Deliveries {
  readonly byChannel = new Map<string, InboxEvent[]>();
  readonly #keys = new Set<string>();

  take(key: string, channel: string, json: string): void {
    if (this.#keys.has(key)) return;
    this.#keys.add(key);
    const events = this.byChannel.get(channel) ?? [];
    events.push(JSON.parse(json) as InboxEvent);
    this.byChannel.set(channel, events);
  }
}

describe.each(testBackends)('$name', (backend) => {
  test('killed at random moments of thousands of sends: nothing acknowledged is lost, nothing comes twice', async () => {
    await using database = await backend.create();
    const acknowledged = new Set<number>();
    const deliveries = new Deliveries();
    const finished = new AbortController();
    while (!finished.signal.aborted) {
      let first = 0;
      while (acknowledged.has(first)) first += 1;
      const child = startChild(sender, [database.url, `${first}`, `${sends}`, `${bigUsers}`]);
      await child.waitFor(/^ready$/);
      const enough = 200 + Math.floor(Math.random() * 2500);
      await vi.waitFor(
        () => {
          if (child.lines.includes('finished')) finished.abort();
          expect(finished.signal.aborted || child.lines.length > enough).toBe(true);
        },
        { timeout: 60_000, interval: 1 },
      );
      await child.kill();
      for (const line of child.lines) {
        const [kind, one = '', channel = '', ...rest] = line.split(' ');
        if (kind === 'a' && one !== 'big') acknowledged.add(Number(one));
        if (kind === 'p') deliveries.take(one, channel, rest.join(' '));
      }
    }
    await using store = await openStore({ url: database.url, modules: [inboxModule] });
    store.outbox.start({
      publish: (channel, data, { idempotencyKey }) => {
        deliveries.take(idempotencyKey, channel, Buffer.from(data).toString());
        return Promise.resolve();
      },
    });
    const inbox = createInbox({
      store,
      position: () => Promise.resolve({ offset: 0, epoch: '' }),
    });
    const stored = await vi.waitFor(
      async () => {
        const { rows } = await store.read((db) =>
          sql<{ category: string; title: string; user_id: string }>`
            select category, title, user_id from inbox_notifications`.execute(db),
        );
        expect(rows).toHaveLength(sends + bigUsers);
        expect([...deliveries.byChannel.values()].flat()).toHaveLength(sends + bigUsers);
        return rows;
      },
      { timeout: 60_000, interval: 100 },
    );
    await inbox.close();
    expect(acknowledged.size).toBe(sends);
    expect(new Set(stored.map((row) => `${row.title} ${row.user_id}`)).size).toBe(stored.length);
    for (const events of deliveries.byChannel.values()) {
      const versions = events.map((event) => event.version);
      expect(versions).toEqual(versions.map((_, index) => index + 1));
      expect(events.at(-1)?.unread.total).toBe(events.length);
    }
    expect(await store.integrityCheck()).toEqual([]);
  }, 400_000);

  test('a hundred thousand recipients in one send need little memory, and others go on', async () => {
    await using database = await backend.create();
    await using store = await openStore({ url: database.url, modules: [inboxModule] });
    const inbox = createInbox({
      store,
      position: () => Promise.resolve({ offset: 0, epoch: '' }),
    });
    let published = 0;
    store.outbox.start({
      publish: () => {
        published += 1;
        return Promise.resolve();
      },
    });
    const users = 100_000;
    function* all(): Generator<string> {
      for (let index = 0; index < users; index += 1) yield `user-${index}`;
    }
    const before = process.memoryUsage().rss;
    let peak = before;
    const sent = await inbox.send({ to: { users: all() }, category: 'a', title: 'to all' });
    expect(sent).toMatchObject({ state: 'running', recipients: users });
    const progress: number[] = [];
    let slowestMs = 0;
    const time = await startRunningTime();
    await vi.waitFor(
      async () => {
        peak = Math.max(peak, process.memoryUsage().rss);
        const before = time.elapsedMs;
        await inbox.send({ to: { user: 'someone else' }, category: 'b', title: 'now' });
        slowestMs = Math.max(slowestMs, time.elapsedMs - before);
        const { created, state } = await inbox.sendStatus(sent.id);
        progress.push(created);
        expect(state).toBe('done');
      },
      { timeout: 300_000, interval: 100 },
    );
    expect(progress.at(-1)).toBe(users);
    expect(progress).toEqual(progress.toSorted((a, b) => a - b));
    expect(new Set(progress).size).toBeGreaterThan(3);
    expect(slowestMs).toBeLessThan(5000);
    expect(peak - before).toBeLessThan(400_000_000);
    await vi.waitFor(() => expect(published).toBeGreaterThanOrEqual(users), {
      timeout: 60_000,
      interval: 100,
    });
    await inbox.close();
  }, 400_000);
});
