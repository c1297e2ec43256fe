import type { InboxEvent, Notification, UnreadCounts } from '@holdfast/protocol/inbox';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  applied,
  type InboxChange,
  type InboxFilter,
  type InboxState,
  maxItems,
  overlaid,
  withPage,
} from './inbox-state.ts';
import { safeLink } from './safe-link.ts';

const idOf = (number: number): string => `${number}`.padStart(6, '0');

function notification(number: number, more: Partial<Notification> = {}): Notification {
  return {
    id: idOf(number),
    category: number % 2 === 0 ? 'even' : 'odd',
    severity: 'info',
    title: `n${number}`,
    body: '',
    link: null,
    source: null,
    data: null,
    groupKey: null,
    groupCount: 1,
    createdAt: number,
    expiresAt: null,
    readAt: null,
    archivedAt: null,
    ...more,
  };
}

/** A server's inbox: every operation gives the event that tells of it. */
class ServerInbox {
  readonly all = new Map<string, Notification>();
  version = 0;
  #next = 1;

  create(): InboxEvent {
    const made = notification(this.#next++);
    this.all.set(made.id, made);
    return this.#event({ type: 'created', notification: made, silent: false, replaces: null });
  }

  read(ids: readonly string[]): InboxEvent {
    this.#set(ids, { readAt: 1 });
    return this.#event({ type: 'read', ids, readAt: 1 });
  }

  unread(ids: readonly string[]): InboxEvent {
    this.#set(ids, { readAt: null });
    return this.#event({ type: 'unread', ids });
  }

  archive(ids: readonly string[]): InboxEvent {
    this.#set(ids, { archivedAt: 1 });
    return this.#event({ type: 'removed', ids, reason: 'archived' });
  }

  unarchive(ids: readonly string[]): InboxEvent {
    this.#set(ids, { archivedAt: null });
    return this.#event({
      type: 'unarchived',
      notifications: ids.flatMap((id) => this.all.get(id) ?? []),
    });
  }

  remove(ids: readonly string[]): InboxEvent {
    for (const id of ids) this.all.delete(id);
    return this.#event({ type: 'removed', ids, reason: 'deleted' });
  }

  counts(): UnreadCounts {
    const byCategory: Record<string, number> = {};
    for (const { category, readAt, archivedAt } of this.all.values()) {
      if (readAt === null && archivedAt === null) {
        byCategory[category] = (byCategory[category] ?? 0) + 1;
      }
    }
    const total = Object.values(byCategory).reduce((sum, count) => sum + count, 0);
    return { total, byCategory };
  }

  page(
    filter: InboxFilter,
    { limit, cursor }: { readonly limit: number; readonly cursor?: string | null },
  ): Pick<InboxState, 'items' | 'nextCursor'> {
    const fitting = [...this.all.values()]
      .filter(({ id, readAt, archivedAt, category }) => {
        const status = filter.status ?? 'all';
        if ((status === 'archived') !== (archivedAt !== null)) return false;
        if (status === 'unread' && readAt !== null) return false;
        if (status === 'read' && readAt === null) return false;
        if (filter.category !== undefined && filter.category !== category) return false;
        return cursor === undefined || cursor === null || id < cursor;
      })
      .toSorted((a, b) => (a.id < b.id ? 1 : -1));
    const items = fitting.slice(0, limit);
    return { items, nextCursor: fitting.length > limit ? (items.at(-1)?.id ?? null) : null };
  }

  snapshot(filter: InboxFilter, limit: number): InboxState {
    return {
      filter,
      ...this.page(filter, { limit }),
      unread: this.counts(),
      version: this.version,
      isListed: true,
      newestId: idOf(this.#next - 1),
      missed: [],
      missedSince: undefined,
      settings: undefined,
    };
  }

  #set(ids: readonly string[], change: Partial<Notification>): void {
    for (const id of ids) {
      const before = this.all.get(id);
      if (before !== undefined) this.all.set(id, { ...before, ...change });
    }
  }

  #event(body: object): InboxEvent {
    this.version += 1;
    return { ...body, version: this.version, unread: this.counts() } as InboxEvent;
  }
}

const operations = ['create', 'read', 'unread', 'archive', 'unarchive', 'remove'] as const;
const step = fc.record({
  operation: fc.constantFrom(...operations),
  picks: fc.array(fc.nat(40), { minLength: 1, maxLength: 3 }),
});
const filter: fc.Arbitrary<InboxFilter> = fc.constantFrom(
  {},
  { status: 'unread' },
  { status: 'read' },
  { status: 'archived' },
  { category: 'even' },
);

/** The server tells of nothing that it did not change. */
function isChanged(item: Notification | undefined, operation: string): boolean {
  if (item === undefined) return false;
  if (operation === 'read') return item.readAt === null;
  if (operation === 'unread') return item.readAt !== null;
  if (operation === 'archive') return item.archivedAt === null;
  if (operation === 'unarchive') return item.archivedAt !== null;
  return true;
}

function run(server: ServerInbox, { operation, picks }: { operation: string; picks: number[] }) {
  const ids = picks
    .map((pick) => idOf(pick + 1))
    .filter(
      (id, index, all) => all.indexOf(id) === index && isChanged(server.all.get(id), operation),
    );
  if (operation === 'create' || ids.length === 0) return server.create();
  return server[operation as Exclude<(typeof operations)[number], 'create'>](ids);
}

/** The list as the server would give it, as long as the client's. */
function expectSame(state: InboxState, server: ServerInbox): void {
  const all = server.page(state.filter, { limit: 1_000 }).items;
  const shown = all.filter(({ id }) => state.nextCursor === null || id >= state.nextCursor);
  expect(state.items).toEqual(shown);
  expect(state.unread).toEqual(server.counts());
}

describe('events', () => {
  test('a list that follows them is the one that the server would give', () => {
    fc.assert(
      fc.property(filter, fc.array(step, { maxLength: 60 }), (wanted, steps) => {
        const server = new ServerInbox();
        for (let index = 0; index < 12; index++) server.create();
        let state = server.snapshot(wanted, 5);
        for (const one of steps) {
          const event = run(server, one);
          expect(applied(state, { ...event, version: state.version })).toBe(state);
          expect(applied(state, { ...event, version: state.version + 2 })).toBeUndefined();
          // What the client cannot know is read anew, as long a list as before.
          state = applied(state, event) ?? server.snapshot(wanted, Math.max(5, state.items.length));
          expectSame(state, server);
        }
      }),
    );
  });

  test('a page joins what happened while it was on its way, whenever the server made it', () => {
    let joined = 0;
    fc.assert(
      fc.property(
        filter,
        fc.array(step, { maxLength: 20 }),
        fc.nat(20),
        (wanted, steps, madeAfter) => {
          const server = new ServerInbox();
          for (let index = 0; index < 30; index++) server.create();
          let state = server.snapshot(wanted, 5);
          const cursor = state.nextCursor;
          if (cursor === null) return;
          const page = () => ({
            ...server.page(wanted, { limit: 10, cursor }),
            cursor,
            filter: wanted,
          });
          let made: ReturnType<typeof page> | undefined;
          const events: InboxEvent[] = [];
          for (const [index, one] of steps.entries()) {
            if (index === madeAfter) made = page();
            const event = run(server, one);
            const next = applied(state, event);
            if (next === undefined) return;
            events.push(event);
            state = next;
          }
          state = withPage(state, made ?? page(), events);
          expectSame(state, server);
          joined += state.nextCursor === cursor ? 0 : 1;
        },
      ),
    );
    expect(joined).toBeGreaterThan(10);
  });

  test('a page of another filter is not joined, even to a list that ends at the same place', () => {
    const server = new ServerInbox();
    for (let index = 0; index < 10; index++) server.create();
    const all = server.snapshot({}, 4);
    const cursor = all.nextCursor!;
    const page = { ...server.page({}, { limit: 4, cursor }), cursor, filter: {} };
    const unread = server.snapshot({ status: 'unread' }, 4);
    expect(unread.nextCursor).toBe(cursor);
    expect(withPage(unread, page, [])).toBe(unread);
    expect(withPage(all, page, []).items).toHaveLength(8);
  });

  test('memory is bounded: beyond the most, the oldest are left to the next page', () => {
    const server = new ServerInbox();
    let state = server.snapshot({}, 20);
    for (let index = 0; index < maxItems + 50; index++) {
      state = applied(state, server.create()) ?? state;
    }
    expect(state.items).toHaveLength(maxItems);
    expect(state.nextCursor).toBe(state.items.at(-1)?.id);
    expect(
      withPage(state, { items: [], nextCursor: null, cursor: 'another', filter: {} }, []),
    ).toBe(state);
  });

  test('a reading that events were joined to does not pass for one that tells what was missed', () => {
    const server = new ServerInbox();
    server.create();
    const read = { ...server.snapshot({}, 5), missedSince: '' };
    expect(applied(read, server.create())).toMatchObject({ missed: [], missedSince: undefined });
  });

  test('a kind that is not known is read anew, whatever it means', () => {
    const state = new ServerInbox().snapshot({}, 20);
    const unread = { total: 0, byCategory: {} };
    const event = { type: 'starred', ids: [], version: 1, unread } as unknown as InboxEvent;
    expect(applied(state, event)).toBeUndefined();
  });
});

describe('changes of the user', () => {
  test('show at once what the server will tell, and nothing twice', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 30 }), step, (steps, last) => {
        const server = new ServerInbox();
        for (let index = 0; index < 12; index++) server.create();
        for (const one of steps) run(server, one);
        const state = server.snapshot({}, 100);
        const ids = last.picks.map((pick) => idOf(pick + 1)).filter((id) => server.all.has(id));
        if (last.operation === 'create' || last.operation === 'unarchive' || ids.length === 0) {
          return;
        }
        const type = last.operation === 'remove' ? 'delete' : last.operation;
        const change = { type, ids, at: 1 } as InboxChange;
        const shown = overlaid(state, change);
        expect(overlaid(shown, change)).toEqual(shown);
        const told = applied(state, server[last.operation](ids));
        // What is archived is not in the list, and comes back by the event alone.
        expect(shown.items).toEqual(told?.items);
        expect(shown.unread).toEqual(told?.unread);
        expect(overlaid(told ?? state, change)).toEqual(told);
      }),
    );
  });

  test('counts hold what categories do not tell: of very many some are in the total alone', () => {
    const server = new ServerInbox();
    for (let index = 0; index < 4; index++) server.create();
    const whole = server.snapshot({}, 4);
    const state = { ...whole, unread: { total: 304, byCategory: { odd: 2, even: 100 } } };
    const [newest] = state.items;
    const read = { type: 'read', ids: [newest?.id ?? ''], at: 1 } as const;
    expect(overlaid(state, read).unread).toEqual({ total: 303, byCategory: { odd: 2, even: 99 } });
    const all = { type: 'read_all', upTo: state.newestId, at: 1 } as const;
    expect(overlaid(state, all).unread).toEqual({ total: 0, byCategory: {} });
    expect(overlaid(state, { ...all, category: 'even' }).unread).toEqual({
      total: 204,
      byCategory: { odd: 2 },
    });
  });

  test('a category can have a name that every object has', () => {
    const server = new ServerInbox();
    server.create();
    const whole = server.snapshot({}, 1);
    const items = whole.items.map((item) => ({ ...item, category: 'constructor', readAt: 1 }));
    const state = { ...whole, items, unread: { total: 0, byCategory: {} } };
    const unread = { type: 'unread', ids: items.map(({ id }) => id) } as const;
    expect(overlaid(state, unread).unread).toEqual({ total: 1, byCategory: { constructor: 1 } });
  });

  test('reading all leaves unread what comes after', () => {
    const server = new ServerInbox();
    for (let index = 0; index < 4; index++) server.create();
    const state = server.snapshot({}, 2);
    const change = { type: 'read_all', upTo: state.newestId, at: 1 } as const;
    expect(overlaid(state, change).unread).toEqual({ total: 0, byCategory: {} });
    const later = applied(state, server.create()) ?? state;
    expect(overlaid(later, change).unread).toEqual({ total: 1, byCategory: { odd: 1 } });
    expect(overlaid(later, change).items.map(({ readAt }) => readAt)).toEqual([null, 1, 1]);
    expect(overlaid(state, { ...change, category: 'even' }).unread).toEqual({
      total: 2,
      byCategory: { odd: 2 },
    });
  });
});

test.each([
  ['/orders/7', true],
  ['https://example.com/a?b#c', true],
  ['HTTP://example.com', true],
  ['javascript:alert(1)', false],
  ['java\tscript:alert(1)', false],
  [' javascript:alert(1)', false],
  ['//example.com', false],
  ['/\\example.com', false],
  ['/\t/example.com', false],
  ['data:text/html,x', false],
  ['https://', false],
  ['', false],
  ['orders/7', false],
])('the link %j is followed: %s', (link, isSafe) => {
  expect(safeLink({ link })).toBe(isSafe ? link : undefined);
});
