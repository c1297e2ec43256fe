import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Engine } from './engine.ts';
import { ServerChannels, userOf } from './server-channels.ts';
import type { ChannelEvent, Position } from './wire.ts';

const jwt = (claims: object): string =>
  `e30.${Buffer.from(JSON.stringify(claims)).toString('base64url')}.c2ln`;

describe('userOf', () => {
  test('two tokens of one subject are one user, of two subjects two', () => {
    expect(userOf(jwt({ sub: 'ann', exp: 1 }))).toBe(userOf(jwt({ sub: 'ann', exp: 2 })));
    expect(userOf(jwt({ sub: 'ann' }))).not.toBe(userOf(jwt({ sub: 'bob' })));
    expect(userOf(jwt({ sub: 'Änn?>' }))).not.toBe(userOf(jwt({ sub: 'Ünn?>' })));
  });

  test.each(['', 'opaque', 'sub:ann', 'a.b.c', jwt({}), jwt({ sub: 1 })])(
    'a token without a subject stands for itself: %s',
    (token) => expect(userOf(token)).toBe(`token:${token}`),
  );
});

/** The engine's part: it keeps its own places, and tells of the channels in an answer. */
class ScriptedEngine {
  state = 'disconnected';
  readonly #listeners = new Map<string, (context: object) => void>();
  readonly #own = new Map<string, Position>();

  on(event: string, listener: (context: object) => void): void {
    this.#listeners.set(event, listener);
  }

  get subs(): Record<string, object> {
    return Object.fromEntries([...this.#own].map(([name, place]) => [name, { ...place }]));
  }

  /** A listener disconnects before the answer is gone through. */
  interrupt(): void {
    this.state = 'connected';
    this.#emit('connected', {});
    this.state = 'disconnected';
  }

  /** The server grants these, all of them at their tops. */
  answer(granted: readonly string[], offset: number): void {
    this.state = 'connected';
    this.#emit('connected', {});
    for (const channel of granted) {
      const streamPosition = { epoch: 'e', offset };
      this.#own.set(channel, streamPosition);
      this.#emit('subscribed', { channel, recoverable: true, streamPosition });
    }
    for (const channel of this.#own.keys()) {
      if (granted.includes(channel)) continue;
      this.#emit('unsubscribed', { channel });
      this.#own.delete(channel);
    }
  }

  lose(): void {
    this.state = 'disconnected';
    for (const channel of this.#own.keys()) this.#emit('subscribing', { channel });
  }

  #emit(event: string, context: object): void {
    this.#listeners.get(event)?.(context);
  }
}

const channels = ['a', 'b', 'c'];
const channel = fc.constantFrom(...channels);
const user = fc.constantFrom('ann', 'bob');
const step = fc.oneof(
  fc.record({
    type: fc.constant('connect' as const),
    user,
    granted: fc.subarray(channels),
    end: fc.constantFrom('answered', 'answered', 'interrupted', 'lost'),
  }),
  fc.record({ type: fc.constant('want' as const), user, channel, offset: fc.option(fc.nat(9)) }),
);

test('places are asked for until they were answered, by their user alone, and what is not continued is ended', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 30 }), async (steps) => {
      const engine = new ScriptedEngine();
      const breaches: string[] = [];
      const check = (isKept: boolean, breach: string): void => {
        if (!isKept) breaches.push(breach);
      };
      /** What an application would know: whose channels it hears. */
      const live = new Map<string, string>();
      let owner: string | undefined;
      const server = new ServerChannels({
        report: (name: string, event: ChannelEvent) => {
          if (event.type === 'unsubscribed') live.delete(name);
          if (event.type !== 'subscribed') return;
          check((live.get(name) ?? owner) === owner, 'a channel passed from one user to another');
          live.set(name, owner ?? '');
        },
      });
      server.bind(engine as unknown as Engine);
      const wanted = new Map<string, number>();
      let top = 10;
      for (const one of steps) {
        if (one.type === 'want') {
          const isTheirs = server.accepts(userOf(jwt({ sub: one.user })));
          owner ??= one.user;
          check(isTheirs === (owner === one.user), 'places of another user accepted');
          if (!isTheirs) continue;
          const since = one.offset === null ? undefined : { epoch: 'e', offset: one.offset };
          server.want(one.channel, since);
          if (one.offset !== null) wanted.set(one.channel, one.offset);
          continue;
        }
        engine.lose();
        server.open();
        const token = jwt({ sub: one.user });
        const { subs } = server.rewrite({ token, subs: engine.subs });
        if (owner === undefined || owner === one.user) {
          for (const [name, offset] of wanted) {
            const asked = JSON.stringify(subs?.[name]);
            const expected = JSON.stringify({ recover: true, epoch: 'e', offset });
            check(asked === expected, 'a place was not asked for');
          }
        } else check(subs === undefined, 'places were carried to another user');
        for (const name of Object.keys(subs ?? {})) {
          check(wanted.has(name) || live.get(name) === one.user, 'a place of nobody knows whom');
        }
        if (one.end === 'lost') continue;
        if (owner !== one.user || one.end === 'answered') wanted.clear();
        owner = one.user;
        if (one.end === 'interrupted') {
          engine.interrupt();
          await Promise.resolve();
          continue;
        }
        engine.answer(one.granted, top++);
        await Promise.resolve();
        const heard = JSON.stringify([...live.keys()].toSorted());
        check(heard === JSON.stringify(one.granted.toSorted()), 'other channels than granted');
      }
      expect(breaches).toEqual([]);
    }),
    { numRuns: 1_000 },
  );
});

test('a listener that disconnects in the middle of an answer loses no place', async () => {
  const engine = new ScriptedEngine();
  const events: ChannelEvent[] = [];
  const server = new ServerChannels({ report: (_name, event) => events.push(event) });
  server.bind(engine as unknown as Engine);
  server.accepts(userOf(''));
  server.want('a', { epoch: 'e', offset: 3 });
  server.rewrite({});
  engine.answer([], 0);
  engine.lose();
  await Promise.resolve();
  expect(events).toEqual([]);
  expect(server.rewrite({}).subs).toEqual({ a: { recover: true, epoch: 'e', offset: 3 } });
});
