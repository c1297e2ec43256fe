import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import type { ChannelEvent, Position } from '../wire.ts';
import { SharedChannel } from './shared-channel.ts';

const historySize = 3;

/** A stream with a short history, and the one subscription that the engine would hold on it. */
class Upstream {
  epoch = 1;
  top = 0;
  channel: SharedChannel | undefined;
  #isLive = false;
  #pending: { readonly since: Position | undefined } | undefined;
  #position: Position | undefined;

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
    this.#position = isKnown ? since : { epoch, offset: this.top };
    this.channel?.handle({
      type: 'subscribed',
      wasRecovering: since !== undefined,
      recovered: isKnown,
      position: this.#position,
    });
    if (!isKnown || since === undefined) return;
    for (let offset = since.offset + 1; offset <= this.top; offset++) {
      if (this.#isLive) this.#deliver(offset);
    }
  }

  get isSettled(): boolean {
    return this.#pending === undefined;
  }

  #deliver(offset: number): void {
    this.#position = { epoch: String(this.epoch), offset };
    const publication = { channel: 'news', data: offset, offset };
    this.channel?.handle({ type: 'publication', publication });
  }
}

/** What a tab sees, with every breach of what it was promised. */
class Tab {
  position: Position | undefined;
  isSubscribed = false;
  readonly breaches: string[] = [];
  readonly #upstream: Upstream;

  constructor(upstream: Upstream) {
    this.#upstream = upstream;
  }

  hear(event: ChannelEvent): void {
    if (event.type === 'subscribed') {
      const kept = JSON.stringify(event.position) === JSON.stringify(this.position);
      if (event.recovered && !kept) this.breaches.push('recovered elsewhere than where it was');
      if (this.position !== undefined && !event.wasRecovering)
        this.breaches.push('not told of a gap');
      if (!event.recovered && this.#upstream.reaches(this.position)) {
        this.breaches.push('given up though the stream reaches back to where it was');
      }
      this.position = event.position;
      this.isSubscribed = true;
    }
    if (event.type === 'publication') {
      if (!this.isSubscribed) this.breaches.push('delivered before it was subscribed');
      const { offset = 0 } = event.publication;
      if (offset !== (this.position?.offset ?? 0) + 1)
        this.breaches.push(`gap or repeat: ${offset}`);
      this.position = { epoch: this.position?.epoch ?? '', offset };
    }
  }
}

const command = fc.oneof(
  { weight: 5, arbitrary: fc.constant({ type: 'publish' as const }) },
  { weight: 4, arbitrary: fc.constant({ type: 'reply' as const }) },
  { weight: 2, arbitrary: fc.constant({ type: 'join' as const }) },
  { weight: 1, arbitrary: fc.constant({ type: 'cut' as const }) },
  { weight: 1, arbitrary: fc.constant({ type: 'reset' as const }) },
  // The tab was away, and comes back to where it was.
  { weight: 2, arbitrary: fc.record({ type: fc.constant('away' as const), tab: fc.nat(5) }) },
  { weight: 2, arbitrary: fc.record({ type: fc.constant('back' as const), tab: fc.nat(5) }) },
  // Another leader takes over; the tabs introduce themselves in any order.
  { weight: 1, arbitrary: fc.record({ type: fc.constant('handover' as const), turn: fc.nat(5) }) },
);

test('whatever happens, a tab hears each publication once and in order, or is told of the gap', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(command, { maxLength: 60 }), async (commands) => {
      const upstream = new Upstream();
      const tabs: Tab[] = [];
      const away = new Set<number>();
      const lead = (): SharedChannel => {
        const channel = new SharedChannel(
          {},
          {
            ...upstream.links,
            send: (to, event) => {
              if (upstream.channel !== channel) return;
              for (const id of to) tabs[Number(id)]?.hear(event);
            },
          },
        );
        upstream.links.end();
        upstream.channel = channel;
        return channel;
      };
      let channel = lead();
      const add = (index: number): void => {
        const tab = tabs[index];
        if (tab === undefined) return;
        tab.isSubscribed = false;
        channel.add(String(index), tab.position);
      };
      for (const step of commands) {
        switch (step.type) {
          case 'join':
            tabs.push(new Tab(upstream));
            add(tabs.length - 1);
            break;
          case 'away':
            channel.remove(String(step.tab));
            away.add(step.tab);
            break;
          case 'back':
            if (away.delete(step.tab)) add(step.tab);
            break;
          case 'handover': {
            channel = lead();
            const present = tabs.map((_, index) => index).filter((index) => !away.has(index));
            for (const index of [...present.slice(step.turn), ...present.slice(0, step.turn)]) {
              add(index);
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
      for (const index of away) add(index);
      for (let turn = 0; turn < 20 && !upstream.isSettled; turn++) {
        upstream.reply();
        await Promise.resolve();
      }
      const top = { epoch: String(upstream.epoch), offset: upstream.top };
      for (const tab of tabs) {
        expect(tab).toMatchObject({ breaches: [], isSubscribed: true, position: top });
      }
    }),
    {
      numRuns: 5_000,
      examples: [
        [
          // The last place asked for is of the new epoch, a tab that came before has one of the old.
          [
            { type: 'join' },
            { type: 'join' },
            { type: 'reply' },
            { type: 'away', tab: 0 },
            { type: 'reset' },
            { type: 'reply' },
            { type: 'away', tab: 1 },
          ],
        ],
      ],
    },
  );
});

test('a tab that is too far behind costs the others nothing', async () => {
  const upstream = new Upstream();
  const tabs = { late: new Tab(upstream), recent: new Tab(upstream) };
  const channel = new SharedChannel(
    {},
    {
      ...upstream.links,
      send: (to, event) => {
        for (const id of to) tabs[id as keyof typeof tabs].hear(event);
      },
    },
  );
  upstream.channel = channel;
  channel.add('late', undefined);
  channel.add('recent', undefined);
  upstream.reply();
  await Promise.resolve();
  channel.remove('late');
  for (let n = 0; n < 5; n++) upstream.publish();
  upstream.cut();
  upstream.publish();
  channel.add('late', tabs.late.position);
  for (let turn = 0; turn < 3; turn++) {
    upstream.reply();
    await Promise.resolve();
  }
  const position = { epoch: '1', offset: 6 };
  expect(tabs.late).toMatchObject({ position, breaches: [] });
  expect(tabs.recent).toMatchObject({ position, breaches: [] });
});
