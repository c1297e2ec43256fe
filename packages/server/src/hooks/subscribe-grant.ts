import type { ChannelOverrides, SubscribeGrant } from '@holdfast/hub';
import type { ObjectReader } from './object-reader.ts';

const overrideNames = {
  presence: 'presence',
  join_leave: 'joinLeave',
  force_push_join_leave: 'forcePushJoinLeave',
  force_positioning: 'forcePositioning',
  force_recovery: 'forceRecovery',
} as const satisfies Record<string, keyof ChannelOverrides>;

/** Reads the options of one subscription, in a subscribe result or in a connect result's `subs`. */
export function readSubscribeGrant(result: ObjectReader): SubscribeGrant {
  const expireAt = result.integer('expire_at');
  const info = result.payload('info');
  const data = result.payload('data');
  const overrides = readOverrides(result);
  return {
    ...(expireAt === undefined ? {} : { expireAt }),
    ...(info === undefined ? {} : { info }),
    ...(data === undefined ? {} : { data }),
    ...(overrides === undefined ? {} : { overrides }),
  };
}

/** Each override is an object `{"value": true}`, so that "off" and "not said" are told apart. */
function readOverrides(result: ObjectReader): Partial<ChannelOverrides> | undefined {
  const override = result.object('override');
  if (override === undefined) return undefined;
  const overrides: { -readonly [Name in keyof ChannelOverrides]?: boolean } = {};
  for (const [name, option] of Object.entries(overrideNames)) {
    const given = override.object(name);
    if (given !== undefined) overrides[option] = given.boolean('value') ?? false;
  }
  return overrides;
}
