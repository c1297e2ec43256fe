import type {
  PublishGrant,
  PublishingEvent,
  SubscribeGrant,
  SubscribingEvent,
} from '@holdfast/hub';
import { type HookCaller, settle } from './hook-caller.ts';
import { connectionHeaders, connectionMembers } from './hook-request.ts';
import type { ObjectReader } from './object-reader.ts';
import { readSubscribeGrant } from './subscribe-grant.ts';

/** Asks the backend whether a client may subscribe. */
export async function askSubscribe(
  caller: HookCaller,
  event: SubscribingEvent,
): Promise<SubscribeGrant> {
  const { connection, channel, token, data, signal } = event;
  const decision = await caller.ask(
    {
      hook: 'subscribe',
      headers: connectionHeaders(connection),
      body: {
        ...connectionMembers(caller, connection),
        channel,
        token: token === '' ? undefined : token,
        ...caller.payload('subscribe', data),
      },
      signal,
    },
    readSubscribeGrant,
  );
  return settle(decision);
}

/** Asks the backend whether a client may publish, and what exactly is to be published. */
export async function askPublish(
  caller: HookCaller,
  event: PublishingEvent,
): Promise<PublishGrant> {
  const { connection, channel, data, signal } = event;
  const decision = await caller.ask(
    {
      hook: 'publish',
      headers: connectionHeaders(connection),
      body: {
        ...connectionMembers(caller, connection),
        channel,
        ...caller.payload('publish', data),
      },
      signal,
    },
    readPublishGrant,
  );
  return settle(decision);
}

/** Asks the backend whether a client may write or remove a key of a map channel. */
export async function askMapChange(
  caller: HookCaller,
  event: PublishingEvent,
): Promise<PublishGrant> {
  const { connection, channel, data, key, removed = false, signal } = event;
  const hook = removed ? 'map_remove' : 'map_publish';
  const decision = await caller.ask(
    {
      hook,
      headers: connectionHeaders(connection),
      body: {
        ...connectionMembers(caller, connection),
        channel,
        key,
        ...(removed ? {} : caller.payload(hook, data)),
      },
      signal,
    },
    readPublishGrant,
  );
  return settle(decision);
}

function readPublishGrant(result: ObjectReader): PublishGrant {
  const data = result.payload('data');
  const skipHistory = result.boolean('skip_history');
  const tags = result.stringMap('tags');
  const idempotencyKey = result.string('idempotency_key');
  const delta = result.boolean('delta');
  const version = result.integer('version');
  const versionEpoch = result.string('version_epoch');
  return {
    ...(data === undefined ? {} : { data }),
    ...(skipHistory === undefined ? {} : { skipHistory }),
    ...(tags === undefined ? {} : { tags }),
    ...(idempotencyKey === undefined || idempotencyKey === '' ? {} : { idempotencyKey }),
    ...(delta === undefined ? {} : { delta }),
    ...(version === undefined || version === 0 ? {} : { version }),
    ...(versionEpoch === undefined || versionEpoch === '' ? {} : { versionEpoch }),
  };
}
