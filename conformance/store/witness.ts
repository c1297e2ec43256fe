import type { PublishEvent, Store } from '@holdfast/store';
import { expect, vi } from 'vitest';
import type { Child } from '../child.ts';
import type { JournalTables } from './journal.ts';

export const patience = { timeout: 60_000, interval: 10 };

/** Collects what was published, as a broker that drops repeated keys. */
export class Witness {
  readonly acknowledged = new Set<string>();
  readonly #keys = new Set<string>();
  readonly #delivered = new Map<string, { id: string; number: number }[]>();
  repeated = 0;

  read(child: Child): void {
    for (const line of child.lines) {
      const [kind, first, channel, ...rest] = line.split(' ');
      if (kind === 'a' && first !== undefined) this.acknowledged.add(first);
      if (kind === 'p' && first !== undefined && channel !== undefined) {
        this.take(first, channel, rest.join(' '));
      }
    }
  }

  take(key: string, channel: string, json: string): void {
    if (this.#keys.has(key)) {
      this.repeated += 1;
      return;
    }
    this.#keys.add(key);
    const list = this.#delivered.get(channel) ?? [];
    list.push(JSON.parse(json) as { id: string; number: number });
    this.#delivered.set(channel, list);
  }

  readonly publish: PublishEvent = (channel, data, { idempotencyKey }) => {
    this.take(idempotencyKey, channel, Buffer.from(data).toString());
    return Promise.resolve();
  };

  get deliveredIds(): readonly string[] {
    return [...this.#delivered.values()].flat().map(({ id }) => id);
  }

  /** Channels whose events came in another order than their writer made them. */
  get disordered(): readonly string[] {
    return [...this.#delivered]
      .filter(([, events]) => events.some((event, index) => event.number !== index + 1))
      .map(([channel]) => channel);
  }
}

/** Publishes what is left, until everything that is stored has been published. */
export async function publishRest(store: Store<JournalTables>, witness: Witness): Promise<void> {
  store.outbox.start({ publish: witness.publish });
  await expectPublished(store, witness);
}

export async function expectPublished(
  store: Store<JournalTables>,
  witness: Witness,
): Promise<void> {
  await vi.waitFor(async () => {
    const rows = await store.read((db) =>
      db.selectFrom('entries').select('id').where('half', '=', 1).execute(),
    );
    expect(witness.deliveredIds).toHaveLength(rows.length);
  }, patience);
}

/** All or nothing, in order, once, and everything that was acknowledged. */
export async function expectWhole(store: Store<JournalTables>, witness: Witness): Promise<void> {
  const rows = await store.read((db) =>
    db.selectFrom('entries').select(['id', 'half']).orderBy('id').orderBy('half').execute(),
  );
  const first = rows.filter((row) => row.half === 1).map((row) => row.id);
  const second = rows.filter((row) => row.half === 2).map((row) => row.id);
  expect(second).toEqual(first);
  const kept = new Set(first);
  expect([...witness.acknowledged].filter((id) => !kept.has(id))).toEqual([]);
  expect(witness.deliveredIds.toSorted()).toEqual(first);
  expect(witness.disordered).toEqual([]);
}
