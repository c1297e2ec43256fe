import type { InboxEvent } from '@holdfast/protocol/inbox';
import { openStore, type Store, type StoreOptions } from '@holdfast/store';
import { unhurried, type ManualClock, type TestDatabase } from '@holdfast/store/testing';
import { expect, vi } from 'vitest';
import { createInbox, type Inbox } from '../inbox.ts';
import { inboxModule, type InboxTables } from '../inbox-module.ts';
import type { InboxOptions } from '../options.ts';

/** For what a real database does in its own time. */
export const patience = { timeout: 60_000, interval: 5 };

/** A broker with a stream per channel, reduced to what the inbox needs of the hub. */
class StreamBroker {
  readonly #streams = new Map<string, InboxEvent[]>();
  readonly #keys = new Set<string>();

  readonly publish = (
    channel: string,
    data: Uint8Array,
    options: { readonly idempotencyKey: string },
  ): Promise<void> => {
    if (!this.#keys.has(options.idempotencyKey)) {
      this.#keys.add(options.idempotencyKey);
      const stream = this.#streams.get(channel) ?? [];
      stream.push(JSON.parse(Buffer.from(data).toString()) as InboxEvent);
      this.#streams.set(channel, stream);
    }
    return Promise.resolve();
  };

  readonly position = (channel: string): Promise<{ offset: number; epoch: string }> =>
    Promise.resolve({ offset: this.#streams.get(channel)?.length ?? 0, epoch: 'test' });

  /** Events after an offset, oldest first. */
  eventsOf(channel: string, since = 0): readonly InboxEvent[] {
    return (this.#streams.get(channel) ?? []).slice(since);
  }
}

/** An inbox on a real database with a broker of its own. */
export interface InboxFixture extends AsyncDisposable {
  readonly store: Store<InboxTables>;
  readonly inbox: Inbox;
  readonly broker: StreamBroker;
  readonly problems: string[];
}

export async function openInbox(
  database: TestDatabase,
  options: Partial<InboxOptions> & Pick<StoreOptions, 'clock' | 'maxEventBytes'> = {},
): Promise<InboxFixture> {
  const { clock, maxEventBytes, ...inboxOptions } = options;
  const store = await openStore<InboxTables>({
    url: database.url,
    modules: [inboxModule],
    ...unhurried,
    ...(clock === undefined ? {} : { clock }),
    ...(maxEventBytes === undefined ? {} : { maxEventBytes }),
  });
  const broker = new StreamBroker();
  const problems: string[] = [];
  store.outbox.start({ publish: broker.publish });
  const inbox = createInbox({
    store,
    position: broker.position,
    random: () => 0,
    onProblem: ({ message, cause }) => problems.push(`${message}: ${String(cause)}`),
    ...inboxOptions,
  });
  return {
    store,
    inbox,
    broker,
    problems,
    async [Symbol.asyncDispose]() {
      await inbox.close();
      await store.close();
    },
  };
}

/** All events of a user, when all have been published. */
export async function eventsOf(
  { inbox, broker }: InboxFixture,
  user: string,
): Promise<readonly InboxEvent[]> {
  const { version, channel } = await inbox.snapshot(user);
  await vi.waitFor(() => expect(broker.eventsOf(channel)).toHaveLength(version), patience);
  return broker.eventsOf(channel);
}

/** Waits until this process leads, which is when background work begins; moves the clock for it. */
export async function untilLeader(
  store: Pick<Store, 'isLeader'>,
  clock: ManualClock,
): Promise<void> {
  await vi.waitFor(() => {
    clock.advance(10);
    expect(store.isLeader()).toBe(true);
  }, patience);
}
