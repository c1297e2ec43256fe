import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Client } from '../client.ts';
import { ClientError } from '../client-error.ts';
import { idleState } from '../connection-state.ts';
import type { Environment } from '../environment.ts';
import type { Subscription, SubscriptionOptions, SubscriptionState } from '../subscription.ts';
import { LiveStore } from './live-store.ts';

/** The server's state: what was done, in order. */
interface State {
  readonly version: number;
  readonly done: readonly string[];
}
interface Event {
  readonly version: number;
  readonly what: string;
}

/** Timers that run when the test says so. */
class ManualTime implements Environment {
  #now = 0;
  readonly #timers = new Set<{ at: number; action: () => void }>();
  now = (): number => this.#now;
  random = (): number => 0.5;
  isOnline = (): boolean => true;
  isHidden = (): boolean => false;
  onSignal = () => () => undefined;

  after(delayMs: number, action: () => void): () => void {
    const timer = { at: this.#now + delayMs, action };
    this.#timers.add(timer);
    return () => void this.#timers.delete(timer);
  }

  async pass(ms: number): Promise<void> {
    const end = this.#now + ms;
    for (;;) {
      await settled();
      const next = [...this.#timers].filter(({ at }) => at <= end).toSorted((a, b) => a.at - b.at);
      const [timer] = next;
      if (timer === undefined) break;
      this.#now = Math.max(this.#now, timer.at);
      this.#timers.delete(timer);
      timer.action();
    }
    this.#now = end;
  }
}

/** Lets every promise that is done be seen, without any real time. */
async function settled(): Promise<void> {
  for (let index = 0; index < 30; index++) await Promise.resolve();
}

/** A server, its channel, and a connection to it that can be cut. */
class World {
  readonly time = new ManualTime();
  state: State = { version: 0, done: [] };
  /** How requests are answered. */
  answers: 'ok' | 'unreachable' | 'refused' | 'busy' = 'ok';
  loads = 0;
  readonly #stream: Event[] = [];
  #epoch = 1;
  /** Where the stream of this epoch begins. */
  #start = 0;
  #isConnected = true;
  #subscription:
    | { options: SubscriptionOptions<Event>; state: SubscriptionState; delivered: number }
    | undefined;
  readonly #listeners = new Set<() => void>();
  readonly #onSubscription = new Set<() => void>();

  readonly store = new LiveStore<State, Event, string, number>(
    this.#client(),
    {
      load: async () => {
        this.loads += 1;
        this.#refuse();
        const position = { epoch: `${this.#epoch}`, offset: this.#stream.length };
        const { state } = this;
        await Promise.resolve();
        return { state, channel: 'c', position };
      },
      apply: (state, { version, what }) => {
        if (version <= state.version) return state;
        if (version !== state.version + 1) return undefined;
        return { version, done: [...state.done, what] };
      },
      overlay: (state, change) =>
        state.done.includes(change) ? state : { ...state, done: [...state.done, change] },
      send: async (change) => {
        await Promise.resolve();
        this.#refuse();
        // A repetition changes nothing, and is answered like the first.
        if (!this.state.done.includes(change)) this.happen(change);
        return this.state.done.indexOf(change) + 1;
      },
      contains: (state, receipt) => state.version >= receipt,
      isEnough: () => true,
      viewOf: () => '',
    },
    { environment: this.time, hooks: { circleName: () => Promise.resolve(undefined) } },
  );

  /** Something is done on the server, and told. */
  happen(what: string): void {
    this.state = { version: this.state.version + 1, done: [...this.state.done, what] };
    this.#stream.push({ version: this.state.version, what });
    this.#deliver();
  }

  cut(): void {
    if (!this.#isConnected) return;
    this.#isConnected = false;
    this.#setSubscription({ status: 'subscribing' });
    for (const listener of this.#listeners) listener();
  }

  /** @param hasHistory false: the channel lost its history, as after the restart of a server */
  reconnect(hasHistory: boolean): void {
    if (this.#isConnected) return;
    this.#isConnected = true;
    if (!hasHistory) {
      this.#epoch += 1;
      this.#start = this.#stream.length;
    }
    for (const listener of this.#listeners) listener();
    this.#subscribed();
  }

  #refuse(): void {
    if (this.answers === 'busy') {
      throw new ClientError('refused', 'busy', { temporary: true, retryAfterMs: 30_000 });
    }
    if (this.answers === 'unreachable') throw new ClientError('outcome_unknown', 'no answer');
    if (this.answers === 'refused') throw new ClientError('refused', 'no');
  }

  #client(): Pick<Client, 'subscribe' | 'state' | 'onChange'> {
    const stateNow = () => ({
      ...idleState(0),
      status: this.#isConnected ? ('connected' as const) : ('waiting' as const),
    });
    return {
      get state() {
        return stateNow();
      },
      onChange: (listener) => {
        this.#listeners.add(listener);
        return () => void this.#listeners.delete(listener);
      },
      subscribe: <Data>(channel: string, options: SubscriptionOptions<Data> = {}) =>
        this.#subscribe(
          channel,
          options as SubscriptionOptions<Event>,
        ) as unknown as Subscription<Data>,
    };
  }

  #subscribe(channel: string, options: SubscriptionOptions<Event>): Subscription<Event> {
    const { since } = options;
    const position = since ?? { epoch: '', offset: 0 };
    const own = {
      options,
      state: {
        status: 'subscribing',
        position,
        recovered: undefined,
        problem: undefined,
      } as SubscriptionState,
      delivered: position.offset,
    };
    this.#subscription = own;
    queueMicrotask(() => {
      if (this.#isConnected && this.#subscription === own) this.#subscribed();
    });
    return {
      channel,
      get state() {
        return own.state;
      },
      onChange: (listener) => {
        this.#onSubscription.add(listener);
        return () => void this.#onSubscription.delete(listener);
      },
      publish: () => Promise.resolve(),
      close: () => undefined,
    };
  }

  #subscribed(): void {
    const subscription = this.#subscription;
    if (subscription === undefined) return;
    const recovered =
      subscription.state.position?.epoch === `${this.#epoch}` &&
      subscription.delivered >= this.#start;
    if (!recovered) subscription.delivered = this.#stream.length;
    const position = { epoch: `${this.#epoch}`, offset: subscription.delivered };
    this.#setSubscription({ status: 'subscribed', recovered, position });
    subscription.options.onSubscribed?.(subscription.state);
    this.#deliver();
  }

  #deliver(): void {
    const subscription = this.#subscription;
    if (!this.#isConnected || subscription?.state.status !== 'subscribed') return;
    while (subscription.delivered < this.#stream.length) {
      const data = this.#stream[subscription.delivered++]!;
      this.#setSubscription({
        position: { epoch: `${this.#epoch}`, offset: subscription.delivered },
      });
      subscription.options.onPublication?.({ channel: 'c', data, offset: subscription.delivered });
    }
  }

  #setSubscription(change: Partial<SubscriptionState>): void {
    if (this.#subscription === undefined) return;
    this.#subscription.state = { ...this.#subscription.state, ...change };
    for (const listener of this.#onSubscription) listener();
  }
}

const command = fc.oneof(
  fc.record({ type: fc.constantFrom('happen', 'change', 'cut') }),
  fc.record({ type: fc.constant('reconnect' as const), hasHistory: fc.boolean() }),
  fc.record({ type: fc.constant('answers' as const), how: fc.constantFrom('ok', 'unreachable') }),
  fc.record({ type: fc.constant('pass' as const), ms: fc.nat(3_000) }),
);

describe('whatever happens to network and server', () => {
  test('what is shown was on the server, and in the end is what is there', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(command, { maxLength: 40 }), async (commands) => {
        const world = new World();
        const { store } = world;
        const outcomes: Promise<unknown>[] = [];
        store.start();
        let count = 0;
        for (const one of commands) {
          count += 1;
          if (one.type === 'happen') world.happen(`h${count}`);
          if (one.type === 'cut') world.cut();
          if ('hasHistory' in one) world.reconnect(one.hasHistory);
          if ('how' in one) world.answers = one.how as World['answers'];
          if ('ms' in one) await world.time.pass(one.ms);
          if (one.type === 'change') outcomes.push(store.change(`c${count}`).catch(String));
          await settled();
          // L1: never anything but a beginning of what was done; all of it when it says so.
          const { base = { version: 0, done: [] }, snapshot } = store;
          expect(world.state.done.slice(0, base.version)).toEqual(base.done);
          expect(snapshot.status === 'live' ? base : world.state).toEqual(world.state);
        }
        world.answers = 'ok';
        world.reconnect(true);
        await world.time.pass(120_000);
        await Promise.all(outcomes);
        expect(store.snapshot).toEqual({
          status: 'live',
          state: world.state,
          problem: undefined,
          unconfirmed: 0,
        });
        store.close();
      }),
      { numRuns: 300 },
    );
  });

  test('a change is shown at once, and does not flicker until its event is there', async () => {
    const world = new World();
    world.store.start();
    await world.time.pass(10);
    const seen: (readonly string[] | undefined)[] = [];
    world.store.onChange(() => seen.push(world.store.snapshot.state?.done));
    world.cut();
    const done = world.store.change('mine');
    expect(world.store.snapshot).toMatchObject({ status: 'stale', unconfirmed: 1 });
    await done;
    expect(world.store.base?.done).toEqual([]);
    expect(world.store.snapshot).toMatchObject({ unconfirmed: 0, state: { done: ['mine'] } });
    world.reconnect(true);
    await world.time.pass(10);
    expect(world.store.base?.done).toEqual(['mine']);
    expect(seen.slice(1).every((one) => one?.[0] === 'mine' && one.length === 1)).toBe(true);
  });

  test('a change that is refused leaves no trace, and the ones behind it go on', async () => {
    const world = new World();
    world.store.start();
    await world.time.pass(10);
    world.answers = 'refused';
    const refused = world.store.change('no');
    expect(world.store.snapshot.state?.done).toEqual(['no']);
    await expect(refused).rejects.toMatchObject({ code: 'refused' });
    expect(world.store.snapshot.state?.done).toEqual([]);
    world.answers = 'ok';
    await world.store.change('yes');
    expect(world.store.snapshot.state?.done).toEqual(['yes']);
  });

  test('a change that cannot be carried out in its time is taken back', async () => {
    const world = new World();
    world.store.start();
    await world.time.pass(10);
    world.answers = 'unreachable';
    const late = world.store.change('late').catch((error: unknown) => error);
    await world.time.pass(40_000);
    expect(world.store.snapshot.state?.done).toEqual(['late']);
    await world.time.pass(40_000);
    expect(await late).toMatchObject({ code: 'outcome_unknown' });
    expect(world.store.snapshot.state?.done).toEqual([]);
  });

  test('a server that asks for time is given it', async () => {
    const world = new World();
    world.answers = 'busy';
    world.store.start();
    await world.time.pass(30_000);
    expect(world.loads).toBe(1);
    world.answers = 'ok';
    await world.time.pass(1_000);
    expect(world.store.snapshot.status).toBe('live');
    expect(world.loads).toBe(2);
  });

  test('refused for good: it says so, asks no more, and begins anew when it is told to', async () => {
    const world = new World();
    world.answers = 'refused';
    world.store.start();
    await world.time.pass(600_000);
    expect(world.store.snapshot).toMatchObject({ status: 'failed', problem: { code: 'refused' } });
    expect(world.loads).toBe(1);
    world.answers = 'ok';
    world.store.retry();
    await world.time.pass(10);
    expect(world.store.snapshot.status).toBe('live');
  });

  test('more changes than may wait are refused, and closing ends those that do', async () => {
    const world = new World();
    world.store.start();
    await world.time.pass(10);
    world.answers = 'unreachable';
    const waiting = Array.from({ length: 100 }, (_, index) =>
      world.store.change(`${index}`).catch((error: unknown) => error),
    );
    await expect(world.store.change('one more')).rejects.toMatchObject({ code: 'queue_full' });
    world.store.close();
    for (const error of await Promise.all(waiting)) expect(error).toMatchObject({ code: 'closed' });
  });
});
