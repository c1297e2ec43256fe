import type { Centrifuge, MapEntry, Subscription } from 'centrifuge';
import { bindState, clientInfo } from './bind-subscription.ts';
import type { Entry } from './keyed.ts';
import type { KeyedEvent, KeyedRequest, Position } from './wire.ts';

export type EngineMap = ReturnType<Centrifuge['newMapSubscription']>;
export type EnginePoll = ReturnType<Centrifuge['newSharedPollSubscription']>;

type Report = (event: KeyedEvent) => void;

/** Opens a subscription to keys at the engine, and turns what it emits into events. */
export function attachKeyed(
  engine: Centrifuge,
  request: KeyedRequest,
  { report, backoff }: { report: Report; backoff: { minDelayMs: number; maxDelayMs: number } },
): EngineMap | EnginePoll {
  const { channel, options } = request;
  const { data, token, delta } = options;
  const common = {
    ...(data === undefined ? {} : { data }),
    ...(token === undefined ? {} : { token }),
    ...(delta === undefined ? {} : { delta }),
    ...(options.getToken === undefined ? {} : { getToken: options.getToken }),
    minResubscribeDelay: backoff.minDelayMs,
    maxResubscribeDelay: backoff.maxDelayMs,
  };
  if (request.kind === 'poll') {
    const { getSignature } = request.options;
    const poll = engine.newSharedPollSubscription(channel, {
      ...common,
      getSignature: async ({ keys }) => {
        const signed = await getSignature(keys);
        return { ...signed, keys: [...signed.keys] };
      },
    });
    poll.on('update', (update) => {
      const { key, data: value, removed, version } = update;
      const entry = removed === true ? undefined : { key, value: value as unknown };
      const change = { type: 'change', change: { key, entry } } as const;
      report(version === undefined ? change : { ...change, version });
    });
    bindState(states(poll), (event) =>
      report(event.type === 'subscribed' ? { ...event, epoch: epochOf(poll) } : event),
    );
    return poll;
  }
  return attachMap(engine, request, { common, report });
}

function attachMap(
  engine: Centrifuge,
  { channel, options, since }: KeyedRequest & { readonly kind: 'map' },
  { common, report }: { readonly common: object; readonly report: Report },
): EngineMap {
  const { of = 'values', tagsFilter, pageSize, delta } = options;
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
  // Deltas build on values that only the subscription before this one had.
  let place = delta === undefined ? since : undefined;
  if (place !== undefined) continueFrom(map, place);
  bindState(states(map), (event) => {
    if (event.type !== 'subscribed') {
      report(event);
      return;
    }
    // The engine says where a recovery ends; its changes are still to come.
    if (!event.recovered) place = event.position;
    report({ ...event, ...(place === undefined ? {} : { position: place }) });
  });
  map.on('sync', ({ entries }) => {
    const sync = { type: 'sync', entries: entries.map(entryOf) } as const;
    report(place === undefined ? sync : { ...sync, position: place });
  });
  map.on('update', (update) => {
    const { key, offset } = update;
    if (offset !== undefined && place !== undefined) place = { ...place, offset };
    const entry = update.removed === true ? undefined : entryOf(update);
    const change = { type: 'change', change: { key, entry } } as const;
    report(offset === undefined ? change : { ...change, offset });
  });
  return map;
}

/** What the engine can do with a map and has no option for. */
function continueFrom(map: EngineMap, since: Position): void {
  (map as unknown as { _setOptions(options: object): void })._setOptions({ since });
}

/** What the engine compares, and tells nobody. */
function epochOf(poll: EnginePoll): string {
  return (poll as unknown as { readonly _sharedPollEpoch: string })._sharedPollEpoch;
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
