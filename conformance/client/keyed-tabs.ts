import { expect, onTestFinished, vi } from 'vitest';
import {
  type Client,
  type ClientOptions,
  createEnvironment,
  type EntryChange,
  type EnvironmentSignal,
  type MapOptions,
  type MapSubscription,
  type PollSubscription,
} from '@holdfast/client';
import { createSharedClient } from '@holdfast/client/shared';
import { signKeys } from './keyed-hub.ts';
import type { RunningApp } from './running-app.ts';

export const patient = { timeout: 60_000, interval: 10 };

/** A client, with what its page would tell it. */
export interface Tab {
  readonly client: Client;
  signal(signal: EnvironmentSignal): void;
}

export function open(
  { url }: RunningApp,
  options: Partial<ClientOptions> = {},
  create: (options: ClientOptions) => Client = createSharedClient,
): Tab {
  const listeners = new Set<(signal: EnvironmentSignal) => void>();
  const client = create({
    url,
    backoff: { minDelayMs: 10, maxDelayMs: 50, stableMs: 10_000 },
    environment: {
      ...createEnvironment(),
      onSignal: (listener) => {
        listeners.add(listener);
        return () => void listeners.delete(listener);
      },
    },
    ...options,
  });
  onTestFinished(() => client.close());
  client.connect();
  return {
    client,
    signal: (signal) => {
      for (const listener of listeners) listener(signal);
    },
  };
}

/** A tab that follows a map, with all that its application was told. */
export interface MapTab extends Tab {
  readonly map: MapSubscription<number>;
  readonly changes: readonly EntryChange<number>[];
  /** How often the whole map came. */
  syncs: number;
  /** Keys that were there, were not, and were there again. */
  readonly flickered: readonly string[];
}

export function openMap(
  running: RunningApp,
  options: Partial<ClientOptions> = {},
  mapOptions: MapOptions<number> & { readonly channel?: string } = {},
): MapTab {
  const { channel = 'map:a', ...rest } = mapOptions;
  const changes: EntryChange<number>[] = [];
  const opened = open(running, options);
  const flickered: string[] = [];
  const gone = new Set<string>();
  let before: ReadonlyMap<string, unknown> = new Map();
  const map = opened.client.subscribeMap<number>(channel, {
    ...rest,
    onChange: (change) => changes.push(change),
    onSync: () => {
      tab.syncs += 1;
    },
  });
  map.onChange(() => {
    for (const key of before.keys()) if (!map.entries.has(key)) gone.add(key);
    for (const key of map.entries.keys()) if (gone.has(key)) flickered.push(key);
    before = map.entries;
  });
  const tab: MapTab = { ...opened, map, changes, flickered, syncs: 0 };
  return tab;
}

export const valuesOf = ({
  entries,
}: {
  entries: ReadonlyMap<string, { readonly value: unknown }>;
}) => Object.fromEntries([...entries].map(([key, { value }]) => [key, value]));

export const mapsShow = (tabs: readonly MapTab[], expected: object) =>
  vi.waitFor(() => {
    for (const { map } of tabs) {
      expect(map.state.status).toBe('subscribed');
      expect(valuesOf(map)).toEqual(expected);
    }
  }, patient);

export const holderAmong = <Any extends Tab>(tabs: readonly Any[]): Promise<Any> =>
  vi.waitFor(() => {
    const holder = tabs.find(({ client }) => client.state.heldBy === 'this_page');
    expect(holder).toBeDefined();
    return holder as Any;
  }, patient);

/** A tab that follows a shared poll. */
export interface PollTab extends Tab {
  readonly poll: PollSubscription<number>;
  readonly changes: readonly (readonly [string, number | undefined])[];
  /** How often its backend was asked for a signature. */
  signed: number;
}

export function openPoll(
  running: RunningApp,
  keys: readonly string[],
  options: PollSetup = {},
): PollTab {
  const { sign = signKeys, client = {}, create } = options;
  const changes: (readonly [string, number | undefined])[] = [];
  const opened = open(running, client, create);
  const poll = opened.client.subscribePoll<number>('poll:a', {
    getSignature: async (wanted) => {
      tab.signed += 1;
      return sign(wanted);
    },
    onChange: ({ key, entry }) => changes.push([key, entry?.value]),
  });
  poll.track(keys);
  const tab: PollTab = { ...opened, poll, changes, signed: 0 };
  return tab;
}

export interface PollSetup {
  readonly sign?: (
    keys: readonly string[],
  ) => ReturnType<typeof signKeys> | Promise<ReturnType<typeof signKeys>>;
  readonly client?: Partial<ClientOptions>;
  /** @defaultValue a shared connection */
  readonly create?: (options: ClientOptions) => Client;
}

/** What the application's backend has, and which of it the server has asked for. */
export function startBackend({ hub: running }: RunningApp) {
  const items = new Map<string, { key: string; data: Buffer; version: number }>();
  const backend = {
    asked: [] as readonly string[],
    set: (key: string, value: number) => {
      items.set(key, { key, data: Buffer.from(String(value)), version: value });
    },
  };
  running.on('polling', ({ items: wanted }) => {
    backend.asked = wanted.map(({ key }) => key).toSorted();
    return { items: wanted.flatMap(({ key }) => items.get(key) ?? []) };
  });
  return backend;
}

export const pollsShow = (shown: readonly (readonly [PollTab, object])[]) =>
  vi.waitFor(() => {
    for (const [{ poll }, expected] of shown) expect(valuesOf(poll)).toEqual(expected);
  }, patient);
