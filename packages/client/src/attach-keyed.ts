import type { Centrifuge, MapEntry, Subscription } from 'centrifuge';
import { bindState, clientInfo } from './bind-subscription.ts';
import type { Entry } from './keyed.ts';
import type { KeyedEvent, KeyedRequest } from './wire.ts';

export type EngineMap = ReturnType<Centrifuge['newMapSubscription']>;
export type EnginePoll = ReturnType<Centrifuge['newSharedPollSubscription']>;

type Report = (event: KeyedEvent) => void;

/** Opens a subscription to keys at the engine, and turns what it emits into events. */
export function attachKeyed(
  engine: Centrifuge,
  { channel, kind, options }: KeyedRequest,
  { report, backoff }: { report: Report; backoff: { minDelayMs: number; maxDelayMs: number } },
): EngineMap | EnginePoll {
  const { data, token, delta } = options;
  const common = {
    ...(data === undefined ? {} : { data }),
    ...(token === undefined ? {} : { token }),
    ...(delta === undefined ? {} : { delta }),
    ...(options.getToken === undefined ? {} : { getToken: options.getToken }),
    minResubscribeDelay: backoff.minDelayMs,
    maxResubscribeDelay: backoff.maxDelayMs,
  };
  if (kind === 'poll') {
    const { getSignature } = options;
    const poll = engine.newSharedPollSubscription(channel, {
      ...common,
      getSignature: async ({ keys }) => {
        const signed = await getSignature(keys);
        return { ...signed, keys: [...signed.keys] };
      },
    });
    poll.on('update', (update) => {
      const { key, data: value, removed } = update;
      const entry = removed === true ? undefined : { key, value: value as unknown };
      report({ type: 'change', change: { key, entry } });
    });
    bindState(states(poll), report);
    return poll;
  }
  const { of = 'values', tagsFilter, pageSize } = options;
  const mapOptions = {
    ...common,
    ...(tagsFilter === undefined ? {} : { tagsFilter }),
    ...(pageSize === undefined ? {} : { pageSize }),
  };
  const open: Record<typeof of, () => EngineMap> = {
    values: () => engine.newMapSubscription(channel, mapOptions),
    clients: () => engine.newMapClientsSubscription(channel, mapOptions),
    users: () => engine.newMapUsersSubscription(channel, mapOptions),
  };
  const map = open[of]();
  map.on('sync', ({ entries }) => report({ type: 'sync', entries: entries.map(entryOf) }));
  map.on('update', (update) => {
    const { key } = update;
    const entry = update.removed === true ? undefined : entryOf(update);
    report({ type: 'change', change: { key, entry } });
  });
  bindState(states(map), report);
  return map;
}

/** All kinds of subscriptions tell of their state in the same events, which their types do not say. */
function states(subscription: EngineMap | EnginePoll): Pick<Subscription, 'on'> {
  return subscription as unknown as Subscription;
}

function entryOf({ key, data, tags, info }: MapEntry): Entry {
  return {
    key,
    value: data as unknown,
    ...(tags === undefined ? {} : { tags }),
    ...(info === undefined ? {} : { info: clientInfo(info) }),
  };
}
