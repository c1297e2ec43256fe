import type { RefreshAnswer, RefreshingEvent, SubRefreshingEvent } from '@holdfast/hub';
import { ReplyError } from '@holdfast/protocol';
import { type HookCaller, type HookDecision, settle } from './hook-caller.ts';
import { connectionHeaders, connectionMembers } from './hook-request.ts';
import type { ObjectReader } from './object-reader.ts';

/** Asks the backend whether a connection whose time is over may stay. */
export async function askRefresh(
  caller: HookCaller,
  event: RefreshingEvent,
): Promise<RefreshAnswer> {
  const { connection, signal } = event;
  const decision = await caller.ask(
    {
      hook: 'refresh',
      headers: connectionHeaders(connection),
      body: connectionMembers(caller, connection),
      signal,
    },
    readRefreshAnswer,
  );
  return settleRefresh(decision);
}

/** Asks the backend whether a subscription whose time is over may stay. */
export async function askSubRefresh(
  caller: HookCaller,
  event: SubRefreshingEvent,
): Promise<RefreshAnswer> {
  const { connection, channel, signal } = event;
  const decision = await caller.ask(
    {
      hook: 'sub_refresh',
      headers: connectionHeaders(connection),
      body: { ...connectionMembers(caller, connection), channel },
      signal,
    },
    readRefreshAnswer,
  );
  return settleRefresh(decision);
}

function readRefreshAnswer(result: ObjectReader): RefreshAnswer {
  if (result.boolean('expired') === true) return { expired: true };
  const expireAt = result.integer('expire_at');
  const info = result.payload('info');
  const meta = result.raw('meta');
  return {
    ...(expireAt === undefined ? {} : { expireAt }),
    ...(info === undefined ? {} : { info }),
    ...(meta === undefined ? {} : { meta }),
  };
}

/**
 * No command waits for this answer, so an error cannot reach the client: it ends what was asked about,
 * as `expired` does. No answer at all ends nothing: on error 100 the hub waits and asks again.
 */
function settleRefresh(decision: HookDecision<RefreshAnswer>): RefreshAnswer {
  if (decision.kind === 'refusal' && decision.refusal instanceof ReplyError) {
    return { expired: true };
  }
  return settle(decision);
}
