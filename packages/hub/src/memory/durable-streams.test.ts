/* oxlint-disable vitest/no-standalone-expect -- the machine below checks itself in every test */
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import type { BrokerEvents, BrokerPublishOptions, BrokerPublishResult } from '../ports/broker.ts';
import { ManualClock } from '../testing/manual-clock.ts';
import { JournalDisk, MemoryJournal, type CommitFate } from '../testing/memory-journal.ts';
import { bytes, text } from '../testing/port-testbed.ts';
import { MemoryBroker } from './memory-broker.ts';

/*
 * One machine with a disk, on which one process after another runs a broker. Steps are random: several
 * publishes at once, removals, reads, time that passes, commits that fail or whose answer is lost,
 * processes that die in the middle of a commit or stop in good order. What any of them ever said about
 * a position has to stay true.
 */

const historySize = 4;
const kept: BrokerPublishOptions = {
  historySize,
  historyTtlMs: 10_000,
  historyMetaTtlMs: 1_000_000,
};
const everything = { limit: -1, historyMetaTtlMs: kept.historyMetaTtlMs };
const channels = ['durable:a', 'durable:b', 'durable:c', 'plain:a', 'plain:b'];
const isDurable = (channel: string): boolean => channel.startsWith('durable');

type Step =
  | { readonly kind: 'publish'; readonly to: readonly number[]; readonly fate: CommitFate }
  | {
      readonly kind: 'repeat';
      readonly to: number;
      readonly key: number;
      readonly fate: CommitFate;
    }
  | { readonly kind: 'remove' | 'read'; readonly to: number; readonly fate: CommitFate }
  | { readonly kind: 'wait'; readonly ms: number }
  | { readonly kind: 'die'; readonly to: readonly number[]; readonly isKept: boolean }
  | { readonly kind: 'stop' };

const channelIndex = fc.nat(channels.length - 1);
const fate = fc.constantFrom<CommitFate>('kept', 'kept', 'kept', 'kept', 'refused', 'unknown');
const stepArbitrary: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('publish'),
      to: fc.array(channelIndex, { minLength: 1, maxLength: 8 }),
      fate,
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant('repeat'), to: channelIndex, key: fc.nat(1), fate }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constantFrom('remove', 'read'), to: channelIndex, fate }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('wait'), ms: fc.constantFrom(100, 6000, 12_000) }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('die'),
      to: fc.array(channelIndex, { maxLength: 4 }),
      isKept: fc.boolean(),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('stop') }) },
);

/** What is known for sure about one channel. */
interface Knowledge {
  epoch: string | undefined;
  /** Data by offset of what was acknowledged in this epoch. */
  readonly acknowledged: Map<number, string>;
  removedUpTo: number;
  lastPublishAt: number;
}

class Machine {
  readonly #disk = new JournalDisk();
  readonly #clock = new ManualClock();
  readonly #maxBytes: number;
  #journal!: MemoryJournal;
  #broker!: MemoryBroker;
  #counter = 0;
  /** Data of every position that anybody was ever told of. */
  readonly #meanings = new Map<string, string>();
  readonly #knowledge = new Map<string, Knowledge>();
  /** By channel and key: the position that a publish with the key got. */
  readonly #repeatable = new Map<string, number>();
  readonly #refusedData = new Set<string>();
  readonly #delivered = new Map<string, number>();
  readonly #interrupted = new Set<string>();

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  async start(): Promise<void> {
    this.#journal = new MemoryJournal(this.#disk, this.#clock);
    this.#broker = new MemoryBroker({
      clock: this.#clock,
      maxBytes: this.#maxBytes,
      journaling: { journal: this.#journal, isDurable },
    });
    this.#delivered.clear();
    this.#interrupted.clear();
    const events: BrokerEvents = {
      publication: ({ channel, publication, position }) => {
        const { offset = 0, epoch = '' } = position ?? {};
        this.#learn(channel, { offset, epoch }, text(publication.data));
        if (!isDurable(channel)) return;
        const stream = this.#disk.kept.get(channel)?.stream;
        expect(stream?.epoch).toBe(epoch);
        expect(stream?.top).toBeGreaterThanOrEqual(offset);
        const before = this.#delivered.get(`${channel} ${epoch}`);
        if (before !== undefined && !this.#interrupted.delete(channel)) {
          expect(offset).toBe(before + 1);
        }
        this.#delivered.set(`${channel} ${epoch}`, offset);
      },
      join: () => undefined,
      leave: () => undefined,
      interrupted: (names) => {
        for (const name of names ?? []) this.#interrupted.add(name);
      },
    };
    await this.#broker.start(events);
    for (const channel of channels) await this.#broker.subscribe(channel);
  }

  async take(step: Step): Promise<void> {
    switch (step.kind) {
      case 'publish': {
        await this.#publish(step.to, step.fate);
        return;
      }
      case 'repeat': {
        await this.#repeat(step);
        return;
      }
      case 'remove': {
        await this.#remove(channels[step.to] ?? '', step.fate);
        return;
      }
      case 'read': {
        await this.check(channels[step.to] ?? '');
        return;
      }
      case 'wait': {
        this.#clock.advance(step.ms);
        return;
      }
      case 'die': {
        await this.#die(step);
        return;
      }
      case 'stop': {
        await this.#broker.close();
        await this.start();
        for (const channel of channels) await this.check(channel);
      }
    }
  }

  async #publish(to: readonly number[], commitFate: CommitFate): Promise<void> {
    const publishes = to.map((index) => ({
      channel: channels[index] ?? '',
      data: `data ${(this.#counter += 1)}`,
    }));
    this.#journal.fate = () => commitFate;
    const results = await Promise.allSettled(
      publishes.map(({ channel, data }) =>
        this.#broker.publish(channel, { data: bytes(data) }, kept),
      ),
    );
    this.#journal.fate = () => 'kept';
    for (const [index, result] of results.entries()) {
      const { channel = '', data = '' } = publishes[index] ?? {};
      if (result.status === 'fulfilled') {
        this.#acknowledge(channel, result.value, data);
      } else {
        expect(result.reason).toMatchObject({ code: 100, temporary: true });
        expect(commitFate).not.toBe('kept');
        if (commitFate === 'refused') this.#refusedData.add(data);
        else this.#know(channel).lastPublishAt = Infinity;
      }
    }
  }

  async #repeat(step: Extract<Step, { kind: 'repeat' }>): Promise<void> {
    const channel = channels[step.to] ?? '';
    const name = `${channel} ${step.key}`;
    const data = `data ${(this.#counter += 1)}`;
    this.#journal.fate = () => step.fate;
    try {
      const options = { ...kept, idempotencyKey: String(step.key), idempotencyTtlMs: 1e9 };
      const result = await this.#broker.publish(channel, { data: bytes(data) }, options);
      const earlier = this.#repeatable.get(name);
      if (result.suppressed === undefined) {
        expect(earlier).toBeUndefined();
        this.#acknowledge(channel, result, data);
      } else if (earlier !== undefined) {
        expect(result.position?.offset).toBe(earlier);
      }
      this.#repeatable.set(name, result.position?.offset ?? 0);
    } catch (error) {
      expect(error).toMatchObject({ code: 100 });
      if (step.fate === 'refused') this.#refusedData.add(data);
      else this.#know(channel).lastPublishAt = Infinity;
    }
    this.#journal.fate = () => 'kept';
  }

  async #remove(channel: string, commitFate: CommitFate): Promise<void> {
    const known = this.#know(channel);
    let before = Math.max(known.removedUpTo, ...known.acknowledged.keys());
    this.#journal.fate = () => commitFate;
    try {
      await this.#broker.removeHistory(channel);
    } catch {
      if (commitFate === 'refused') before = known.removedUpTo;
    }
    known.removedUpTo = before;
    this.#journal.fate = () => 'kept';
  }

  /** SIGKILL while publishes are under way, before or after the disk has them. */
  async #die({ to, isKept }: Extract<Step, { kind: 'die' }>): Promise<void> {
    const journal = this.#journal;
    const forEver = new Promise<void>(() => undefined);
    if (isKept) {
      const commit = journal.commit.bind(journal);
      journal.commit = async (changes) => {
        await commit(changes);
        await forEver;
      };
    } else {
      journal.gate = () => forEver;
    }
    for (const index of to) {
      const channel = channels[index] ?? '';
      const data = `data ${(this.#counter += 1)}`;
      const result = this.#broker.publish(channel, { data: bytes(data) }, kept);
      if (isDurable(channel)) {
        this.#know(channel).lastPublishAt = Infinity;
        if (!isKept) this.#refusedData.add(data);
        void result.then(() => expect.unreachable('answered before the disk had it'));
      }
    }
    for (let turn = 0; turn < 3; turn += 1) await new Promise((resolve) => setImmediate(resolve));
    for (const channel of channels) if (!isDurable(channel)) this.#knowledge.delete(channel);
    for (const name of this.#repeatable.keys()) {
      if (!isDurable(name)) this.#repeatable.delete(name);
    }
    await this.start();
    for (const channel of channels) await this.check(channel);
  }

  /** What can be read must be what is known. */
  async check(channel: string): Promise<void> {
    const { publications, position } = await this.#broker.history(channel, everything);
    const offsets = publications.map(({ offset = 0 }) => offset);
    expect(offsets).toEqual(
      Array.from(
        { length: offsets.length },
        (_, index) => position.offset - offsets.length + 1 + index,
      ),
    );
    for (const publication of publications) {
      const data = text(publication.data);
      expect(this.#refusedData).not.toContain(data);
      this.#learn(channel, { offset: publication.offset ?? 0, epoch: position.epoch }, data);
    }
    const known = this.#know(channel);
    if (known.epoch === undefined) known.epoch = position.epoch;
    // An eviction is told by a new epoch; only durable channels cannot be evicted.
    if (!isDurable(channel) && known.epoch !== position.epoch) {
      expect(this.#maxBytes).toBeLessThan(10_000);
      this.#knowledge.delete(channel);
      return;
    }
    expect(position.epoch).toBe(known.epoch);
    const acknowledged = [...known.acknowledged.keys()];
    expect(position.offset).toBeGreaterThanOrEqual(Math.max(0, ...acknowledged));
    const hasExpired = this.#clock.now() >= known.lastPublishAt + kept.historyTtlMs;
    const isKnownToLast = known.lastPublishAt !== Infinity && !hasExpired;
    if (!isKnownToLast || this.#maxBytes < 10_000) return;
    for (const offset of acknowledged) {
      if (offset <= Math.max(position.offset - historySize, known.removedUpTo)) continue;
      expect(offsets).toContain(offset);
    }
  }

  #acknowledge(channel: string, { position }: BrokerPublishResult, data: string): void {
    const { offset = 0, epoch = '' } = position ?? {};
    this.#learn(channel, { offset, epoch }, data);
    const earlier = this.#know(channel).epoch;
    if (!isDurable(channel) && earlier !== epoch) this.#knowledge.delete(channel);
    const known = this.#know(channel);
    known.epoch ??= epoch;
    if (isDurable(channel)) expect(epoch).toBe(known.epoch);
    const isLate = this.#clock.now() >= known.lastPublishAt + kept.historyTtlMs;
    if (isLate || known.lastPublishAt === Infinity) {
      known.removedUpTo = Math.max(known.removedUpTo, ...known.acknowledged.keys());
    }
    expect(known.acknowledged.has(offset)).toBe(false);
    known.acknowledged.set(offset, data);
    known.lastPublishAt = this.#clock.now();
  }

  #know(channel: string): Knowledge {
    let known = this.#knowledge.get(channel);
    if (!known) {
      known = {
        epoch: undefined,
        acknowledged: new Map(),
        removedUpTo: 0,
        lastPublishAt: 0,
      };
      this.#knowledge.set(channel, known);
    }
    return known;
  }

  #learn(
    channel: string,
    { offset, epoch }: { readonly offset: number; readonly epoch: string },
    data: string,
  ): void {
    const name = `${channel} ${epoch} ${offset}`;
    expect(this.#meanings.get(name) ?? data).toBe(data);
    this.#meanings.set(name, data);
  }
}

test.each([
  ['with room for everything', 268_435_456],
  ['with room for three streams', 4000],
])(
  'whatever happens, %s, a position names what it always named, and nothing acknowledged is lost',
  async (_, maxBytes) => {
    const lives = fc.assert(
      fc.asyncProperty(fc.array(stepArbitrary, { maxLength: 40 }), async (steps) => {
        const machine = new Machine(maxBytes);
        await machine.start();
        for (const step of steps) await machine.take(step);
        for (const channel of channels) await machine.check(channel);
      }),
      { numRuns: 200 },
    );
    await expect(lives).resolves.toBeUndefined();
  },
  120_000,
);
