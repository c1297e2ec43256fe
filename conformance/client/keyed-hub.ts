import { type HubOptions, signTrackedKeys } from '@holdfast/hub';

const secret = 'a secret of more than thirty-two bytes';
const history = { historySize: 100, historyTtlMs: 60_000, forceRecovery: true };

/** Namespaces with keys: `map`, `online`, `poll`; and streams with deltas and tags. */
export const keyedHub: HubOptions = {
  sharedPoll: { hmacSecretKey: secret },
  channel: {
    withoutNamespace: { ...history, presence: true, allowedDeltaTypes: ['fossil'] },
    namespaces: [
      { name: 'map', subscriptionType: 'map', map: { mode: 'recoverable', streamTtlMs: 60_000 } },
      { name: 'online', subscriptionType: 'map_clients', map: { mode: 'ephemeral' } },
      { name: 'room', mapClientsPresenceChannelPrefix: 'online:' },
      { name: 'tagged', ...history, allowTagsFilter: true },
      {
        name: 'poll',
        subscriptionType: 'shared_poll',
        sharedPoll: { mode: 'versioned', refreshIntervalMs: 50 },
      },
    ],
  },
};

/** What the application's backend says: this user may track these keys of `poll:a`. */
export function signKeys(
  keys: readonly string[],
  user = '',
): {
  readonly keys: readonly string[];
  readonly signature: string;
} {
  const issuedAt = Math.floor(Date.now() / 1000);
  const times = { issuedAt, expireAt: issuedAt + 3_600 };
  const signature = signTrackedKeys(secret, { user, channel: 'poll:a', keys }, times);
  return { keys, signature };
}
