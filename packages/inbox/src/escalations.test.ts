import { createServer, type IncomingHttpHeaders } from 'node:http';
import { once } from 'node:events';
import { testBackends, ManualClock } from '@holdfast/store/testing';
import { describe, expect, test, vi } from 'vitest';
import type { EscalationAttempt } from './escalation-target.ts';
import { createInbox } from './inbox.ts';
import { openInbox, untilLeader, patience } from './testing/inbox-fixture.ts';
import { createWebhookTarget, verifyWebhook } from './webhook-target.ts';

const minute = 60_000;
const day = 24 * 60 * minute;
const secret = 's'.repeat(32);

describe.each(testBackends)('escalation on $name', (backend) => {
  test('what nobody has seen goes out after its time, what was seen does not', async () => {
    await using database = await backend.create();
    const clock = new ManualClock();
    const delivered: EscalationAttempt[] = [];
    await using fixture = await openInbox(database, {
      clock,
      categories: { alarms: { webhook: true, escalateAfterMs: 5 * minute } },
      escalation: {
        webhook: {
          deliver(attempt) {
            delivered.push(attempt);
            return Promise.resolve();
          },
        },
      },
    });
    const { inbox, store } = fixture;
    await untilLeader(store, clock);
    const users = ['ann', 'bob', 'cyd', 'dan', 'eve'];
    await inbox.send({ to: { users }, category: 'alarms', title: 'fire' });
    await inbox.send({ to: { users }, category: 'chat', title: 'hello' });
    const idOf = async (user: string): Promise<string> =>
      (await inbox.list(user, { category: 'alarms' })).items[0]!.id;
    await inbox.markRead('bob', [await idOf('bob')]);
    await inbox.acknowledge('cyd', 'phone', [await idOf('cyd')]);
    await inbox.setPreferences('dan', {
      categories: { alarms: { webhook: false } },
      quietHours: null,
    });
    await inbox.setPreferences('eve', {
      categories: {},
      quietHours: { from: '00:00', to: '23:59', timeZone: 'UTC' },
    });
    clock.set(clock.now() + 5 * minute - 100);
    clock.advance(0);
    expect(delivered).toEqual([]);
    await vi.waitFor(() => {
      clock.advance(100);
      expect(delivered).toHaveLength(1);
    }, patience);
    const id = await idOf('ann');
    expect(delivered[0]).toMatchObject({ user: 'ann', attempt: 1, notification: { id } });
    await vi.waitFor(async () => {
      clock.advance(100);
      const { escalations } = await inbox.deliveryState(id);
      expect(escalations).toMatchObject([{ target: 'webhook', state: 'delivered', attempts: 1 }]);
    }, patience);
    expect((await inbox.deliveryState(await idOf('eve'))).escalations).toEqual([]);
    expect(delivered).toHaveLength(1);
    expect(fixture.problems).toEqual([]);
  });

  test('a target that fails is tried again under the same id, and given up in the end', async () => {
    await using database = await backend.create();
    const clock = new ManualClock();
    const attempts: { id: string; attempt: number; at: number }[] = [];
    await using fixture = await openInbox(database, {
      clock,
      categories: { '*': { inApp: false, email: true } },
      escalation: {
        email: {
          deliver({ id, attempt }) {
            attempts.push({ id, attempt, at: clock.now() });
            return Promise.reject(new Error('mail server away'));
          },
        },
        maxAttempts: 4,
        minBackoffMs: 10_000,
      },
    });
    const { inbox, store } = fixture;
    await untilLeader(store, clock);
    await inbox.send({ to: { user: 'ann' }, category: 'a', title: 'by mail only' });
    expect((await inbox.list('ann')).items).toEqual([]);
    await vi.waitFor(() => {
      clock.advance(1000);
      expect(fixture.problems).toHaveLength(1);
    }, patience);
    expect(fixture.problems[0]).toMatch(
      /^notification \S+ could not be carried on by email, which is given up after 4 attempts; .*dead letters.*mail server away/,
    );
    expect(new Set(attempts.map(({ id }) => id)).size).toBe(1);
    expect(attempts.map(({ attempt }) => attempt)).toEqual([1, 2, 3, 4]);
    const waits = attempts.slice(1).map(({ at }, index) => at - attempts[index]!.at);
    // Half of the ceilings 10, 20 and 40 s, as the random source says 0; looked at every second.
    expect(waits[0]).toBeGreaterThanOrEqual(5000);
    expect(waits[1]).toBeGreaterThanOrEqual(10_000);
    expect(waits[2]).toBeGreaterThanOrEqual(20_000);
  });

  test('between two attempts a user can go to bed, or wish otherwise: nothing more goes out then', async () => {
    await using database = await backend.create();
    const clock = new ManualClock(Date.parse('2026-11-22T21:50Z'));
    const tried: { user: string; attempt: number; at: number }[] = [];
    await using fixture = await openInbox(database, {
      clock,
      categories: { a: { email: true, escalateAfterMs: 0 } },
      escalation: {
        email: {
          deliver({ user, attempt }) {
            tried.push({ user, attempt, at: clock.now() });
            return attempt === 1 ? Promise.reject(new Error('greylisted')) : Promise.resolve();
          },
        },
        minBackoffMs: 60 * minute,
      },
    });
    const { inbox, store } = fixture;
    await untilLeader(store, clock);
    const quietHours = { from: '22:00', to: '07:00', timeZone: 'UTC' };
    await inbox.setPreferences('ann', { categories: {}, quietHours });
    const users = ['ann', 'bob', 'cyd', 'dan'];
    await inbox.send({ to: { users }, category: 'a', title: 'x' });
    const stateOf = async (user: string): Promise<unknown> => {
      const [{ id } = { id: '' }] = (await inbox.list(user)).items;
      const [escalation] = (await inbox.deliveryState(id)).escalations;
      return escalation?.state;
    };
    await vi.waitFor(() => {
      clock.advance(100);
      expect(tried).toHaveLength(4);
    }, patience);
    await inbox.setPreferences('bob', { categories: { a: { email: false } }, quietHours: null });
    const mutedUntil = clock.now() + day;
    await inbox.setPreferences('cyd', { categories: { a: { mutedUntil } }, quietHours: null });
    clock.set(Date.parse('2026-11-22T22:30Z'));
    await vi.waitFor(async () => {
      clock.advance(100);
      expect(await Promise.all(users.map(stateOf))).toEqual([
        'pending',
        'obsolete',
        'obsolete',
        'delivered',
      ]);
    }, patience);
    expect(tried.slice(4)).toMatchObject([{ user: 'dan', attempt: 2 }]);
    clock.set(Date.parse('2026-11-23T07:00Z'));
    await vi.waitFor(async () => {
      clock.advance(100);
      expect(await stateOf('ann')).toBe('delivered');
    }, patience);
    expect(tried.slice(5)).toMatchObject([{ user: 'ann', attempt: 2 }]);
    expect(tried[5]?.at).toBeGreaterThanOrEqual(Date.parse('2026-11-23T07:00Z'));
  });

  test('what goes elsewhere at once goes there though a device has it, until it is archived or expires', async () => {
    await using database = await backend.create();
    const clock = new ManualClock();
    const tried: string[] = [];
    await using fixture = await openInbox(database, {
      clock,
      categories: { '*': { email: true, escalateAfterMs: 0 } },
      escalation: {
        email: {
          deliver({ user }) {
            tried.push(user);
            return user === 'ann' ? Promise.resolve() : Promise.reject(new Error('away'));
          },
        },
      },
    });
    const { inbox, store } = fixture;
    await untilLeader(store, clock);
    const expiresAt = clock.now() + 4_000;
    await inbox.send({ to: { users: ['ann', 'bob'] }, category: 'security', title: 'new sign-in' });
    await inbox.send({ to: { user: 'cyd' }, category: 'security', title: 'code', expiresAt });
    const ids = new Map<string, string>();
    for (const user of ['ann', 'bob', 'cyd']) {
      const { id } = (await inbox.list(user)).items[0]!;
      await inbox.acknowledge(user, 'laptop', [id]);
      ids.set(user, id);
    }
    await vi.waitFor(() => {
      clock.advance(100);
      expect(new Set(tried)).toEqual(new Set(['ann', 'bob', 'cyd']));
    }, patience);
    await inbox.archive('bob', [ids.get('bob')!]);
    clock.set(expiresAt);
    await vi.waitFor(async () => {
      clock.advance(1000);
      const { escalations } = await inbox.deliveryState(ids.get('bob')!);
      expect(escalations).toMatchObject([{ target: 'email', state: 'obsolete' }]);
    }, patience);
    expect(tried.filter((user) => user !== 'ann')).toHaveLength(2);
  });

  test('a target that hangs keeps no other one waiting', async () => {
    await using database = await backend.create();
    const clock = new ManualClock();
    const mailed: string[] = [];
    await using fixture = await openInbox(database, {
      clock,
      categories: { '*': { webhook: true, email: true, escalateAfterMs: 0 } },
      escalation: {
        webhook: {
          async deliver({ signal }) {
            await once(signal, 'abort');
          },
        },
        email: {
          deliver({ user }) {
            mailed.push(user);
            return Promise.resolve();
          },
        },
        timeoutMs: day,
      },
    });
    const { inbox, store } = fixture;
    await untilLeader(store, clock);
    const users = Array.from({ length: 40 }, (_, index) => `u${index}`);
    await inbox.send({ to: { users }, category: 'a', title: 'x' });
    await vi.waitFor(() => {
      clock.advance(500);
      expect(new Set(mailed)).toEqual(new Set(users));
    }, patience);
    await vi.waitFor(() => {
      expect(inbox.metrics.attempts.get('email')).toEqual({
        delivered: 40,
        failed: 0,
        given_up: 0,
      });
    }, patience);
    expect(inbox.metrics.attempts.get('webhook')).toBeUndefined();
  });

  test.each([
    { meanwhile: 'delivered', outcome: 'fails', state: 'delivered' },
    { meanwhile: 'dead', outcome: 'fails', state: 'dead' },
    { meanwhile: 'dead', outcome: 'is taken', state: 'delivered' },
  ])(
    'an attempt that $outcome when another process left it $meanwhile leaves it $state',
    async ({ meanwhile, outcome, state }) => {
      await using database = await backend.create();
      const clock = new ManualClock();
      const woken = Promise.withResolvers<undefined>();
      const categories = { '*': { webhook: true, escalateAfterMs: 0 } };
      const ids: string[] = [];
      await using stopped = await openInbox(database, {
        clock,
        categories,
        escalation: {
          timeoutMs: day,
          webhook: {
            deliver({ id }) {
              ids.push(id);
              return woken.promise;
            },
          },
        },
      });
      const { inbox, store } = stopped;
      await untilLeader(store, clock);
      await inbox.send({ to: { user: 'ann' }, category: 'a', title: 'x' });
      await vi.waitFor(() => {
        clock.advance(100);
        expect(ids).toHaveLength(1);
      }, patience);
      const other = createInbox({
        store,
        categories,
        position: stopped.broker.position,
        escalation: {
          maxAttempts: 1,
          webhook: {
            async deliver({ id }) {
              ids.push(id);
              if (meanwhile === 'dead') throw new Error('away');
            },
          },
        },
      });
      const { id = '' } = (await inbox.list('ann')).items[0] ?? {};
      const escalation = async () => (await inbox.deliveryState(id)).escalations[0];
      await vi.waitFor(async () => {
        clock.advance(100);
        expect(await escalation()).toMatchObject({ state: meanwhile });
      }, patience);
      const before = await escalation();
      if (outcome === 'fails') woken.reject(new Error('no answer'));
      else woken.resolve(undefined);
      await vi.waitFor(() => {
        expect(inbox.metrics.attempts.get('webhook')).toMatchObject(
          outcome === 'fails' ? { failed: 1 } : { delivered: 1 },
        );
      }, patience);
      expect(await escalation()).toMatchObject(
        state === meanwhile ? { ...before } : { state, attempts: 1 },
      );
      expect(new Set(ids).size).toBe(1);
      await other.close();
    },
  );

  test('an attempt that was taken is none that failed, though that could not be written down', async () => {
    await using database = await backend.create();
    const clock = new ManualClock();
    let taken = 0;
    await using fixture = await openInbox(database, {
      clock,
      categories: { '*': { webhook: true, escalateAfterMs: 0 } },
      escalation: {
        maxAttempts: 1,
        webhook: {
          async deliver() {
            taken += 1;
            // The database is away for this one moment.
            if (taken > 1) return;
            vi.spyOn(fixture.store, 'transaction').mockRejectedValueOnce(new Error('away'));
          },
        },
      },
    });
    const { inbox, store } = fixture;
    await untilLeader(store, clock);
    await inbox.send({ to: { user: 'ann' }, category: 'a', title: 'x' });
    const { id = '' } = (await inbox.list('ann')).items[0] ?? {};
    await vi.waitFor(async () => {
      clock.advance(100);
      const { escalations } = await inbox.deliveryState(id);
      expect(escalations).toMatchObject([{ state: 'delivered', attempts: 1 }]);
    }, patience);
    expect(taken).toBe(2);
    expect(await inbox.deadLetters()).toMatchObject({ items: [] });
  });

  test('of an inbox that closes no attempt begins any more, and none keeps it', async () => {
    await using database = await backend.create();
    const clock = new ManualClock();
    let attempts = 0;
    await using fixture = await openInbox(database, {
      clock,
      categories: { '*': { inApp: false, webhook: true } },
      escalation: {
        webhook: {
          deliver({ signal }) {
            attempts += 1;
            return new Promise((_, reject) => {
              signal.addEventListener('abort', () => reject(new Error('stopped')));
            });
          },
        },
      },
    });
    const { inbox, store } = fixture;
    const read = store.read.bind(store);
    let closed: Promise<void> | undefined;
    vi.spyOn(store, 'read').mockImplementation(async (work) => {
      const found = await read(work);
      const isDue = Array.isArray(found) && found.some((row: object) => 'next_attempt_at' in row);
      if (isDue) closed ??= inbox.close();
      return found;
    });
    await untilLeader(store, clock);
    await inbox.send({ to: { user: 'ann' }, category: 'a', title: 'late' });
    await vi.waitFor(() => {
      clock.advance(100);
      expect(closed).toBeDefined();
    }, patience);
    await closed;
    expect(attempts).toBe(0);
  });

  test('a target that never answers is cut off', async () => {
    await using database = await backend.create();
    const clock = new ManualClock();
    let aborted = 0;
    await using fixture = await openInbox(database, {
      clock,
      categories: { '*': { webhook: true, escalateAfterMs: 0 } },
      escalation: {
        webhook: {
          async deliver({ signal }) {
            await once(signal, 'abort');
            aborted += 1;
            await new Promise(() => {});
          },
        },
        maxAttempts: 1,
        timeoutMs: 3000,
      },
    });
    const { inbox, store } = fixture;
    await untilLeader(store, clock);
    await inbox.send({ to: { user: 'ann' }, category: 'a', title: 'x' });
    await vi.waitFor(() => {
      clock.advance(200);
      expect(fixture.problems).toHaveLength(1);
    }, patience);
    expect(fixture.problems[0]).toContain('no answer within 3000 ms');
    expect(aborted).toBe(1);
  });
});

describe('the webhook', () => {
  test('is signed, carries the notification, and understands the answer', async () => {
    const requests: { headers: IncomingHttpHeaders; body: string }[] = [];
    let status = 204;
    const server = createServer((request, response) => {
      let body = '';
      request.setEncoding('utf8').on('data', (text: string) => (body += text));
      request.on('end', () => {
        requests.push({ headers: request.headers, body });
        response.writeHead(status, { location: 'http://127.0.0.1:1/' }).end();
      });
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as { port: number };
    const target = createWebhookTarget({
      url: `http://127.0.0.1:${port}/hook`,
      secret,
      now: () => 1_700_000_000_000,
    });
    const attempt = {
      id: 'e1',
      user: 'ann',
      attempt: 2,
      signal: new AbortController().signal,
      notification: {
        id: 'n1',
        category: 'a',
        severity: 'info',
        title: 'Ä',
        body: '',
        link: null,
        source: null,
        data: null,
        groupKey: null,
        groupCount: 1,
        createdAt: 1,
        expiresAt: null,
        readAt: null,
        archivedAt: null,
      },
    } as const;
    await target.deliver(attempt);
    const [{ headers, body }] = requests as [(typeof requests)[number]];
    const { notification } = attempt;
    expect(JSON.parse(body)).toEqual({
      type: 'notification.unseen',
      user: 'ann',
      attempt: 2,
      notification,
    });
    const content = `${String(headers['webhook-id'])}.${String(headers['webhook-timestamp'])}.${body}`;
    expect(headers).toMatchObject({ 'webhook-id': 'e1', 'webhook-timestamp': '1700000000' });
    const signature = String(headers['webhook-signature']);
    expect(verifyWebhook(secret, content, `v1,other ${signature}`)).toBe(true);
    expect(verifyWebhook(secret, `${content} `, signature)).toBe(false);
    expect(verifyWebhook('t'.repeat(32), content, signature)).toBe(false);
    for (const [answer, retryable] of [
      [500, undefined],
      [302, undefined],
      [410, false],
    ] as const) {
      status = answer;
      const error = await target.deliver(attempt).then(
        () => undefined,
        (reason: unknown) => reason as { retryable?: boolean; message: string },
      );
      expect(error?.message).toMatch(new RegExp(`^the webhook answered ${answer}`));
      expect(error?.retryable).toBe(retryable);
    }
    server.close();
    server.closeAllConnections();
    await once(server, 'close');
    await expect(target.deliver(attempt)).rejects.toThrow(
      /^the webhook cannot be reached \((?:ECONNREFUSED|UND_ERR_SOCKET)\)$/,
    );
  });

  test('refuses a URL or a secret that would not protect anything', () => {
    expect(() => createWebhookTarget({ url: 'http://example.com', secret })).toThrow(/https/);
    expect(() => createWebhookTarget({ url: 'https://example.com', secret: 'short' })).toThrow(
      /32 bytes/,
    );
    expect(() =>
      createWebhookTarget({ url: 'https://example.com', secret: `whsec_${'A'.repeat(28)}` }),
    ).toThrow(/24 bytes/);
    const withPassword = 'https://ann:pw@example.com';
    expect(() => createWebhookTarget({ url: withPassword, secret })).toThrow(
      /^(?!.*pw).*user and password/,
    );
  });
});
