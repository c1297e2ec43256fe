import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { FollowedChannel } from './followed-channel.ts';
import type { FollowedEvent } from './messages.ts';
import { SharedPoll } from './shared-poll.ts';

const keys = ['a', 'b', 'c'];

/** The server's values, whose versions only grow within an epoch, and the engine's one subscription. */
class Upstream {
  epoch = 1;
  poll: SharedPoll | undefined;
  readonly versions = new Map(keys.map((key) => [key, 1]));
  /** What the engine tracks, with the newest version that it had. */
  readonly #tracked = new Map<string, number>();
  #isAttached = false;
  #isSubscribed = false;

  begin() {
    this.end();
    this.#isAttached = true;
    return {
      track: (wanted: readonly string[]) => {
        for (const key of wanted) if (!this.#tracked.has(key)) this.#tracked.set(key, 0);
      },
      untrack: (unwanted: readonly string[]) => {
        for (const key of unwanted) this.#tracked.delete(key);
      },
      detach: () => this.end(),
    };
  }

  end(): void {
    this.#tracked.clear();
    this.#isAttached = false;
    this.#isSubscribed = false;
  }

  set(key: string): void {
    this.versions.set(key, (this.versions.get(key) ?? 0) + 1);
  }

  cut(): void {
    if (!this.#isAttached) return;
    this.#isSubscribed = false;
    this.poll?.handle({ type: 'subscribing', code: 1, reason: 'transport closed' });
  }

  /** Another user has the connection. */
  changeUser(): void {
    if (!this.#isAttached) return;
    this.#isSubscribed = false;
    this.poll?.handle({ type: 'reset' });
    this.poll?.handle({ type: 'subscribing', code: 0, reason: 'subscribe called' });
    for (const key of this.#tracked.keys()) this.#tracked.set(key, 0);
  }

  /** The server has lost its versions. */
  reset(): void {
    this.cut();
    this.epoch += 1;
    for (const key of keys) this.versions.set(key, 1);
    for (const key of this.#tracked.keys()) this.#tracked.set(key, 0);
  }

  reply(): void {
    if (!this.#isAttached) return;
    if (!this.#isSubscribed) {
      this.#isSubscribed = true;
      const epoch = String(this.epoch);
      this.poll?.handle({ type: 'subscribed', wasRecovering: false, recovered: false, epoch });
    }
    for (const [key, known] of this.#tracked) {
      const version = this.versions.get(key) ?? 0;
      if (version <= known) continue;
      this.#tracked.set(key, version);
      const entry = { key, value: `${this.epoch}:${version}` };
      this.poll?.handle({ type: 'change', change: { key, entry }, version });
    }
  }

  get tracked(): readonly string[] {
    return [...this.#tracked.keys()].toSorted();
  }
}

class Tab {
  inbox: (readonly FollowedEvent[])[] = [];
  readonly tracked = new Set<string>();
  readonly values = new Map<string, unknown>();
  readonly breaches: string[] = [];
  readonly #followed = new FollowedChannel(
    { channel: 'poll', kind: 'poll', options: {} },
    { attach: () => undefined, report: (event) => this.#hear(event) },
  );

  get keys(): readonly string[] {
    return this.#followed.wanted?.keys ?? [];
  }

  track(key: string): void {
    this.tracked.add(key);
    this.#followed.track([key]);
  }

  untrack(key: string): void {
    this.tracked.delete(key);
    this.values.delete(key);
    this.#followed.untrack([key]);
  }

  /** What was sent before is heard before. */
  changeUser(): void {
    this.takeAll();
    this.#followed.hear({ type: 'reset' });
  }

  takeAll(): void {
    for (const events of this.inbox) for (const event of events) this.#followed.hear(event);
    this.inbox = [];
  }

  #hear(event: FollowedEvent): void {
    if (event.type === 'reset') this.values.clear();
    if (event.type !== 'change') return;
    const { key, entry } = event.change;
    if (!this.tracked.has(key)) this.breaches.push(`not asked for: ${key}`);
    if (this.values.get(key) === entry?.value) this.breaches.push(`told twice: ${key}`);
    this.values.set(key, entry?.value);
  }
}

const key = fc.constantFrom(...keys);
const command = fc.oneof(
  { weight: 2, arbitrary: fc.record({ type: fc.constant('join' as const), key }) },
  {
    weight: 3,
    arbitrary: fc.record({ type: fc.constant('track' as const), tab: fc.nat(3), key }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ type: fc.constant('untrack' as const), tab: fc.nat(3), key }),
  },
  { weight: 3, arbitrary: fc.record({ type: fc.constant('set' as const), key }) },
  { weight: 4, arbitrary: fc.constant({ type: 'reply' as const }) },
  { weight: 4, arbitrary: fc.record({ type: fc.constant('hear' as const), tab: fc.nat(3) }) },
  { weight: 1, arbitrary: fc.constant({ type: 'cut' as const }) },
  { weight: 1, arbitrary: fc.constant({ type: 'reset' as const }) },
  { weight: 1, arbitrary: fc.constant({ type: 'changeUser' as const }) },
  { weight: 2, arbitrary: fc.record({ type: fc.constant('away' as const), tab: fc.nat(3) }) },
  { weight: 2, arbitrary: fc.record({ type: fc.constant('back' as const), tab: fc.nat(3) }) },
  { weight: 1, arbitrary: fc.constant({ type: 'handover' as const }) },
);

test('whatever happens, each tab has the newest values of its own keys, and hears of no other', () => {
  fc.assert(
    fc.property(fc.array(command, { maxLength: 80 }), (commands) => {
      const upstream = new Upstream();
      const tabs: Tab[] = [];
      const away = new Set<number>();
      const lead = (): SharedPoll => {
        const poll = new SharedPoll({
          begin: () => upstream.begin(),
          send: (to, events) => {
            if (upstream.poll !== poll) return;
            for (const id of to) tabs[Number(id)]?.inbox.push(events);
          },
        });
        upstream.end();
        upstream.poll = poll;
        return poll;
      };
      let poll = lead();
      const add = (index: number): void => {
        const tab = tabs[index];
        if (tab === undefined) return;
        tab.inbox = [];
        poll.add(String(index), tab.keys);
      };
      for (const step of commands) {
        switch (step.type) {
          case 'join': {
            const tab = new Tab();
            tab.track(step.key);
            add(tabs.push(tab) - 1);
            break;
          }
          case 'track':
          case 'untrack':
            tabs[step.tab]?.[step.type](step.key);
            poll[step.type](String(step.tab), [step.key]);
            break;
          case 'set':
            upstream.set(step.key);
            break;
          case 'hear':
            tabs[step.tab]?.takeAll();
            break;
          case 'changeUser':
            upstream.changeUser();
            for (const tab of tabs) tab.changeUser();
            break;
          case 'away':
            if (tabs[step.tab] === undefined) break;
            poll.remove(String(step.tab));
            away.add(step.tab);
            break;
          case 'back':
            if (away.delete(step.tab)) add(step.tab);
            break;
          case 'handover':
            poll = lead();
            for (const index of tabs.keys()) if (!away.has(index)) add(index);
            break;
          case 'reply':
          case 'cut':
          case 'reset':
            upstream[step.type]();
            break;
        }
      }
      for (const index of away) add(index);
      upstream.reply();
      for (const tab of tabs) {
        tab.takeAll();
        expect(tab.breaches).toEqual([]);
        const expected = [...tab.tracked].map((one) => [
          one,
          `${upstream.epoch}:${upstream.versions.get(one)}`,
        ]);
        expect(Object.fromEntries(tab.values)).toEqual(Object.fromEntries(expected));
      }
      const wanted = keys.filter((one) => tabs.some(({ tracked }) => tracked.has(one)));
      expect(upstream.tracked).toEqual(wanted);
    }),
    { numRuns: 2_000 },
  );
});

test('a value that nobody has followed meanwhile is not handed on', () => {
  const upstream = new Upstream();
  const sent: FollowedEvent[] = [];
  const poll = new SharedPoll({
    begin: () => upstream.begin(),
    send: (_, events) => sent.push(...events),
  });
  upstream.poll = poll;
  poll.add('first', ['a', 'b']);
  upstream.reply();
  poll.untrack('first', ['a']);
  upstream.set('a');
  sent.length = 0;
  poll.add('second', ['a']);
  expect(sent.map(({ type }) => type)).toEqual(['subscribed']);
  upstream.reply();
  expect(sent.at(-1)).toMatchObject({ type: 'change', version: 2 });
});
