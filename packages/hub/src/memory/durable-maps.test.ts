/* oxlint-disable vitest/no-standalone-expect -- the machine below checks itself in every test */
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import type { MapBrokerEvents, MapRetention } from '../ports/map-broker.ts';
import { ManualClock } from '../testing/manual-clock.ts';
import { JournalDisk, MemoryJournal, type CommitFate } from '../testing/memory-journal.ts';
import { summary } from '../testing/map-testbed.ts';
import { bytes } from '../testing/port-testbed.ts';
import { MemoryMapBroker } from './memory-map-broker.ts';

/*
 * As in durable-streams.test.ts, with maps: after whatever happened a map has the keys it should have,
 * and who was somewhere in its stream gets there with the changes since.
 */

const keyTtlMs = 5000;
const stream = { streamSize: 1000, streamTtlMs: 1e9, metaTtlMs: 1e9 };
const recoverable: MapRetention = { ...stream, keyTtlMs };
const persistent: MapRetention = { ...stream, keyTtlMs: 0 };
const ephemeral: MapRetention = { streamSize: 0, streamTtlMs: 0, metaTtlMs: 0, keyTtlMs };

interface Key {
  readonly data: string;
  readonly expireAt: number;
}

type Keys = ReadonlyMap<string, Key>;

interface Step {
  readonly kind: 'publish' | 'remove' | 'touch' | 'clear' | 'wait' | 'stop';
  readonly key: string;
  readonly score: number;
  readonly waitMs: number;
  readonly fate: CommitFate | 'dies before' | 'dies after';
}

const stepArbitrary: fc.Arbitrary<Step> = fc.record({
  kind: fc.constantFrom(
    'publish' as const,
    'publish' as const,
    'publish' as const,
    'remove' as const,
    'touch' as const,
    'clear' as const,
    'wait' as const,
    'stop' as const,
  ),
  key: fc.constantFrom('a', 'b', 'c'),
  score: fc.nat(2),
  waitMs: fc.constantFrom(100, 3000, 6000),
  fate: fc.constantFrom(
    'kept' as const,
    'kept' as const,
    'kept' as const,
    'kept' as const,
    'refused' as const,
    'unknown' as const,
    'dies before' as const,
    'dies after' as const,
  ),
});

class Machine {
  readonly #disk = new JournalDisk();
  readonly #clock = new ManualClock();
  readonly #retention: MapRetention;
  readonly #isDurable: boolean;
  #journal!: MemoryJournal;
  #broker!: MemoryMapBroker;
  #keys: Keys = new Map();
  #counter = 0;
  readonly #meanings = new Map<string, string>();
  /** What a subscriber that is away has. */
  #replica: { state: Map<string, string>; offset: number; epoch: string } | undefined;

  constructor(retention: MapRetention, isDurable: boolean) {
    this.#retention = retention;
    this.#isDurable = isDurable;
  }

  async start(): Promise<void> {
    this.#journal = new MemoryJournal(this.#disk, this.#clock);
    this.#broker = new MemoryMapBroker({
      clock: this.#clock,
      journaling: { journal: this.#journal, isDurable: () => this.#isDurable },
    });
    const events: MapBrokerEvents = {
      publication: ({ publication, position }) => {
        if (position === undefined) return;
        this.#learn(position, publication as never);
        if (!this.#isDurable) return;
        expect(this.#disk.kept.get('map')?.stream?.top).toBeGreaterThanOrEqual(position.offset);
      },
      cleared: () => undefined,
      interrupted: () => undefined,
    };
    await this.#broker.start(events);
    await this.#broker.subscribe('map');
  }

  async take(step: Step): Promise<void> {
    const { fate } = step;
    if (step.kind === 'wait') {
      this.#clock.advance(step.waitMs);
    } else if (step.kind === 'stop') {
      await this.#broker.close();
      await this.start();
    } else if (fate === 'dies before' || fate === 'dies after') {
      await this.#die(step, fate);
    } else {
      const after = this.#applied(step);
      this.#journal.fate = () => fate;
      try {
        await this.#perform(step);
        this.#keys = after;
      } catch (error) {
        expect(error).toMatchObject({ code: 100, temporary: true });
        this.#journal.fate = () => 'kept';
        // The answer was lost, not the commit.
        await this.#adopt(fate === 'refused' ? this.#keys : after);
      }
      this.#journal.fate = () => 'kept';
    }
    await this.check();
  }

  #perform({ kind, key, score }: Step): Promise<unknown> {
    const retention = this.#retention;
    if (kind === 'remove') return this.#broker.remove('map', key, { retention });
    if (kind === 'touch') return this.#broker.touch('map', key, retention);
    if (kind === 'clear') return this.#broker.clear('map');
    const data = bytes(`${this.#counter}`);
    return this.#broker.publish('map', { key, data, score }, { retention });
  }

  /** The keys after a step. */
  #applied({ kind, key }: Step): Keys {
    const keys = new Map(this.#current());
    const deadline = this.#retention.keyTtlMs > 0 ? this.#clock.now() + keyTtlMs : Infinity;
    const present = keys.get(key);
    if (kind === 'publish') keys.set(key, { data: `${(this.#counter += 1)}`, expireAt: deadline });
    if (kind === 'touch' && present) keys.set(key, { ...present, expireAt: deadline });
    if (kind === 'remove') keys.delete(key);
    if (kind === 'clear') keys.clear();
    return keys;
  }

  #current(): Keys {
    const now = this.#clock.now();
    return new Map([...this.#keys].filter(([, { expireAt }]) => expireAt > now));
  }

  async #die(step: Step, when: 'dies before' | 'dies after'): Promise<void> {
    const after = this.#applied(step);
    const forEver = new Promise<void>(() => undefined);
    const journal = this.#journal;
    if (when === 'dies after') {
      const commit = journal.commit.bind(journal);
      journal.commit = async (changes) => {
        await commit(changes);
        await forEver;
      };
    } else {
      journal.gate = () => forEver;
    }
    void this.#perform(step);
    for (let turn = 0; turn < 3; turn += 1) await new Promise((resolve) => setImmediate(resolve));
    await this.start();
    if (!this.#isDurable) {
      this.#keys = new Map();
      this.#replica = undefined;
    } else if (when === 'dies before') {
      await this.#adopt(this.#keys);
    } else {
      await this.#adopt(after);
    }
  }

  async #adopt(keys: Keys): Promise<void> {
    this.#keys = keys;
    expect(await this.#state()).toEqual(this.#expected());
  }

  async #state(): Promise<readonly string[]> {
    const filter = { retention: this.#retention, limit: -1 };
    const { entries } = await this.#broker.readState('map', filter);
    return summary(entries).toSorted();
  }

  #expected(): readonly string[] {
    return [...this.#current()].map(([key, { data }]) => `${key}=${data}`).toSorted();
  }

  async check(): Promise<void> {
    // Keys that expired leave by themselves, in durable maps after a commit.
    this.#clock.advance(1000);
    for (let turn = 0; turn < 4; turn += 1) await new Promise((resolve) => setImmediate(resolve));
    expect(await this.#state()).toEqual(this.#expected());
    if (this.#retention.streamSize === 0) return;
    const before = this.#replica;
    const page = await this.#broker.readStream('map', {
      retention: this.#retention,
      limit: -1,
      sinceOffset: before?.offset ?? 0,
    });
    const { offset = 0, epoch = '' } = page.position ?? {};
    for (const publication of page.publications) {
      this.#learn({ offset: publication.offset ?? 0, epoch }, publication);
    }
    if (before?.epoch !== epoch) {
      const state = new Map([...this.#current()].map(([key, { data }]) => [key, data]));
      this.#replica = { state, offset, epoch };
      return;
    }
    expect(page.publications).toHaveLength(offset - before.offset);
    for (const { key, removed, data } of page.publications) {
      if (removed) before.state.delete(key);
      else before.state.set(key, new TextDecoder().decode(data));
    }
    before.offset = offset;
    expect([...before.state].map(([key, data]) => `${key}=${data}`).toSorted()).toEqual(
      this.#expected(),
    );
  }

  #learn(
    { offset, epoch }: { readonly offset: number; readonly epoch: string },
    publication: Parameters<typeof summary>[0][number],
  ): void {
    const [meaning = ''] = summary([publication]);
    const name = `${epoch} ${offset}`;
    expect(this.#meanings.get(name) ?? meaning).toBe(meaning);
    this.#meanings.set(name, meaning);
  }
}

test.each([
  ['recoverable and durable', recoverable, true],
  ['persistent and durable', persistent, true],
  ['ephemeral and durable', ephemeral, true],
  ['recoverable, kept by a stop in good order', recoverable, false],
  ['ephemeral, kept by a stop in good order', ephemeral, false],
] as const)(
  'a map, %s, has what it should have after whatever happened',
  async (_, retention, isDurable) => {
    const lives = fc.assert(
      fc.asyncProperty(fc.array(stepArbitrary, { maxLength: 30 }), async (steps) => {
        const machine = new Machine(retention, isDurable);
        await machine.start();
        for (const step of steps) await machine.take(step);
      }),
      { numRuns: 120 },
    );
    await expect(lives).resolves.toBeUndefined();
  },
  120_000,
);
