import { isDeepStrictEqual } from 'node:util';
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Position } from '../wire.ts';
import { FollowedChannel } from './followed-channel.ts';
import type { FollowedEvent } from './messages.ts';
import { SharedChannel } from './shared-channel.ts';

type Kind = 'stream' | 'map';

const historySize = 3;

/** What the change at an offset does to the map: keys come, change and go. */
function changeAt(offset: number) {
  const key = `k${offset % 3}`;
  return { key, entry: offset % 4 === 0 ? undefined : { key, value: offset } };
}

function entriesAt(offset: number): Record<string, unknown> {
  const entries: Record<string, unknown> = {};
  for (let n = 1; n <= offset; n++) {
    const { key, entry } = changeAt(n);
    if (entry === undefined) delete entries[key];
    else entries[key] = entry;
  }
  return entries;
}

/** A stream or a map with a short history, and the one subscription that the engine would hold on it. */
class Upstream {
  readonly #kind: Kind;
  epoch = 1;
  top = 0;
  channel: SharedChannel | undefined;
  #isLive = false;
  #pending: { readonly since: Position | undefined } | undefined;
  #position: Position | undefined;

  constructor(kind: Kind) {
    this.#kind = kind;
  }

  readonly links = {
    begin: (since: Position | undefined) => {
      this.#isLive = false;
      this.#pending = { since };
    },
    end: () => {
      this.#isLive = false;
      this.#pending = undefined;
    },
  };

  reaches(since: Position | undefined): boolean {
    return since?.epoch === String(this.epoch) && this.top - since.offset <= historySize;
  }

  publish(): void {
    this.top += 1;
    if (this.#isLive) this.#deliver(this.top);
  }

  cut(): void {
    if (!this.#isLive) return;
    this.#isLive = false;
    this.#pending = { since: this.#position };
    this.channel?.handle({ type: 'subscribing', code: 1, reason: 'transport closed' });
  }

  reset(): void {
    this.cut();
    this.epoch += 1;
    this.top = 0;
  }

  reply(): void {
    if (this.#pending === undefined) return;
    const { since } = this.#pending;
    this.#pending = undefined;
    this.#isLive = true;
    const epoch = String(this.epoch);
    const isKnown = since !== undefined && this.reaches(since);
    const position = isKnown ? since : { epoch, offset: this.top };
    this.#position = position;
    this.channel?.handle({
      type: 'subscribed',
      wasRecovering: since !== undefined,
      recovered: isKnown,
      position,
    });
    if (!this.#isLive) return;
    if (isKnown) {
      for (let offset = since.offset + 1; offset <= this.top; offset++) {
        if (this.#isLive) this.#deliver(offset);
      }
    } else if (this.#kind === 'map') {
      const entries = Object.values(entriesAt(this.top)) as never;
      this.channel?.handle({ type: 'sync', entries, position });
    }
  }

  get isSettled(): boolean {
    return this.#pending === undefined;
  }

  #deliver(offset: number): void {
    this.#position = { epoch: String(this.epoch), offset };
    this.channel?.handle(
      this.#kind === 'map'
        ? { type: 'change', change: changeAt(offset), offset }
        : { type: 'publication', publication: { channel: 'news', data: offset, offset } },
    );
  }
}

/** What a tab sees, with every breach of what it was promised. */
class Tab {
  isSubscribed = false;
  /** What leaders have sent and this tab has not heard yet. */
  inbox: (readonly FollowedEvent[])[] = [];
  readonly breaches: string[] = [];
  readonly #kind: Kind;
  readonly #upstream: Upstream;
  readonly #followed: FollowedChannel;
  #place: Position | undefined;
  #entries: Record<string, unknown> = {};

  constructor(kind: Kind, upstream: Upstream) {
    this.#kind = kind;
    this.#upstream = upstream;
    this.#followed = new FollowedChannel(
      { channel: 'news', kind, options: {} },
      { attach: () => undefined, report: (event) => this.#hear(event) },
    );
  }

  get position(): Position | undefined {
    return this.#followed.wanted?.since;
  }

  takeAll(): void {
    while (this.inbox.length > 0) this.#take();
  }

  #take(): void {
    for (const event of this.inbox.shift() ?? []) this.#followed.hear(event);
    if (this.#kind === 'stream' || this.position === undefined) return;
    const expected = entriesAt(this.position.offset);
    if (!isDeepStrictEqual(this.#entries, expected)) {
      this.breaches.push(`another map than that of ${this.position.offset}`);
    }
  }

  #hear(event: FollowedEvent): void {
    if (event.type === 'subscribed') {
      const kept = JSON.stringify(event.position) === JSON.stringify(this.#place);
      if (event.recovered && !kept) this.breaches.push('recovered elsewhere than where it was');
      if (this.#place !== undefined && !event.wasRecovering)
        this.breaches.push('not told of a gap');
      if (!event.recovered && this.#upstream.reaches(this.#place)) {
        this.breaches.push('given up though the stream reaches back to where it was');
      }
      this.#place = event.position;
      this.isSubscribed = true;
    } else if (event.type === 'sync') {
      this.#entries = Object.fromEntries(event.entries.map((entry) => [entry.key, entry]));
    } else if (event.type === 'publication' || event.type === 'change') {
      if (!this.isSubscribed) this.breaches.push('delivered before it was subscribed');
      const { offset = 0 } = event.type === 'change' ? event : event.publication;
      if (offset !== (this.#place?.offset ?? 0) + 1) this.breaches.push(`gap or repeat: ${offset}`);
      this.#place = { epoch: this.#place?.epoch ?? '', offset };
      if (event.type === 'publication') return;
      const { key, entry } = event.change;
      if (entry === undefined) delete this.#entries[key];
      else this.#entries[key] = entry;
    }
  }
}

const command = fc.oneof(
  { weight: 5, arbitrary: fc.constant({ type: 'publish' as const }) },
  { weight: 4, arbitrary: fc.constant({ type: 'reply' as const }) },
  { weight: 2, arbitrary: fc.constant({ type: 'join' as const }) },
  // What was sent is heard, by all tabs or by one of them.
  { weight: 4, arbitrary: fc.constant({ type: 'hear' as const, tab: undefined }) },
  { weight: 2, arbitrary: fc.record({ type: fc.constant('hear' as const), tab: fc.nat(5) }) },
  { weight: 1, arbitrary: fc.constant({ type: 'cut' as const }) },
  { weight: 1, arbitrary: fc.constant({ type: 'reset' as const }) },
  // The tab was away, and comes back to where it was.
  { weight: 2, arbitrary: fc.record({ type: fc.constant('away' as const), tab: fc.nat(5) }) },
  { weight: 2, arbitrary: fc.record({ type: fc.constant('back' as const), tab: fc.nat(5) }) },
  // Another leader takes over; the tabs introduce themselves in any order.
  { weight: 1, arbitrary: fc.record({ type: fc.constant('handover' as const), turn: fc.nat(5) }) },
);

/** One leader after the other, each with the channel that it shares among the tabs. */
class Leaders {
  readonly #kind: Kind;
  readonly #upstream: Upstream;
  readonly #tabs: readonly Tab[];
  channel: SharedChannel;

  constructor(kind: Kind, upstream: Upstream, tabs: readonly Tab[]) {
    this.#kind = kind;
    this.#upstream = upstream;
    this.#tabs = tabs;
    this.channel = this.next();
  }

  next(): SharedChannel {
    const channel = new SharedChannel(this.#kind, {
      ...this.#upstream.links,
      send: (to, events) => {
        if (this.channel !== channel) return;
        for (const id of to) this.#tabs[Number(id)]?.inbox.push(events);
      },
    });
    this.#upstream.links.end();
    this.#upstream.channel = channel;
    this.channel = channel;
    return channel;
  }

  /** A tab introduces itself: what an earlier leader has sent is not heard any more. */
  add(index: number): void {
    const tab = this.#tabs[index];
    if (tab === undefined) return;
    tab.isSubscribed = false;
    tab.inbox = [];
    this.channel.add(String(index), tab.position);
  }
}

test.each(['stream', 'map'] as const)(
  'whatever happens, a tab hears each event of a %s once and in order, or is told of the gap',
  async (kind) => {
    await fc.assert(
      fc.asyncProperty(fc.array(command, { maxLength: 80 }), async (commands) => {
        const upstream = new Upstream(kind);
        const tabs: Tab[] = [];
        const away = new Set<number>();
        const leaders = new Leaders(kind, upstream, tabs);
        for (const step of commands) {
          switch (step.type) {
            case 'join':
              tabs.push(new Tab(kind, upstream));
              leaders.add(tabs.length - 1);
              break;
            case 'hear':
              for (const [index, tab] of tabs.entries()) {
                if (step.tab === undefined || step.tab === index) tab.takeAll();
              }
              break;
            case 'away':
              leaders.channel.remove(String(step.tab));
              away.add(step.tab);
              break;
            case 'back':
              if (away.delete(step.tab)) leaders.add(step.tab);
              break;
            case 'handover': {
              leaders.next();
              const present = tabs.map((_, index) => index).filter((index) => !away.has(index));
              for (const index of [...present.slice(step.turn), ...present.slice(0, step.turn)]) {
                leaders.add(index);
              }
              break;
            }
            case 'publish':
            case 'reply':
            case 'cut':
            case 'reset':
              upstream[step.type]();
              break;
          }
          await Promise.resolve();
        }
        for (const index of away) leaders.add(index);
        for (let turn = 0; turn < 40 && !upstream.isSettled; turn++) {
          upstream.reply();
          await Promise.resolve();
        }
        const position = { epoch: String(upstream.epoch), offset: upstream.top };
        for (const tab of tabs) {
          tab.takeAll();
          expect(tab).toMatchObject({ breaches: [], isSubscribed: true, position });
        }
      }),
      {
        numRuns: 2_000,
        examples: [
          [
            // The last place asked for is of the new epoch, a tab that came before has one of the old.
            [
              { type: 'join' },
              { type: 'join' },
              { type: 'reply' },
              { type: 'hear', tab: undefined },
              { type: 'away', tab: 0 },
              { type: 'reset' },
              { type: 'reply' },
              { type: 'hear', tab: 1 },
              { type: 'away', tab: 1 },
            ],
          ],
        ],
      },
    );
  },
);

test.each(['stream', 'map'] as const)(
  'a tab that is too far behind in a %s costs the others nothing',
  async (kind) => {
    const upstream = new Upstream(kind);
    const tabs = [new Tab(kind, upstream), new Tab(kind, upstream)];
    const { channel } = new Leaders(kind, upstream, tabs);
    const [late, recent] = tabs as [Tab, Tab];
    channel.add('0', undefined);
    channel.add('1', undefined);
    upstream.reply();
    await Promise.resolve();
    late.takeAll();
    channel.remove('0');
    for (let n = 0; n < 5; n++) upstream.publish();
    upstream.cut();
    upstream.publish();
    recent.takeAll();
    channel.add('0', late.position);
    for (let turn = 0; turn < 3; turn++) {
      upstream.reply();
      await Promise.resolve();
    }
    const position = { epoch: '1', offset: 6 };
    for (const tab of tabs) {
      tab.takeAll();
      expect(tab).toMatchObject({ position, breaches: [] });
    }
  },
);

test('what one user was given is not handed on when another has the connection', async () => {
  const upstream = new Upstream('map');
  const tabs = [new Tab('map', upstream), new Tab('map', upstream)];
  const { channel } = new Leaders('map', upstream, tabs);
  upstream.publish();
  channel.add('0', undefined);
  upstream.reply();
  await Promise.resolve();
  tabs[0]!.takeAll();
  upstream.cut();
  channel.forget();
  channel.add('1', undefined);
  upstream.reply();
  await Promise.resolve();
  expect(tabs[1]!.inbox.flat().map(({ type }) => type)).not.toContain('sync');
  // The whole map is asked for again.
  expect(upstream.isSettled).toBe(false);
  upstream.reply();
  await Promise.resolve();
  for (const tab of tabs) {
    tab.takeAll();
    expect(tab).toMatchObject({ position: { epoch: '1', offset: 1 }, breaches: [] });
  }
});
