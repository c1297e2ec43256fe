import type { PollAnswer, PolledItem, PollingEvent } from '@holdfast/hub';
import { type HookCaller, settle } from './hook-caller.ts';
import type { ObjectReader } from './object-reader.ts';

/** Polls the backend for keys of a shared-poll channel. No client asks, so no headers are passed on. */
export async function askSharedPoll(caller: HookCaller, event: PollingEvent): Promise<PollAnswer> {
  const { channel, items, signal } = event;
  const decision = await caller.ask(
    {
      hook: 'shared_poll_refresh',
      headers: { http: {}, emulated: {} },
      body: { channel, items },
      signal,
    },
    readPollAnswer,
  );
  return settle(decision);
}

function readPollAnswer(result: ObjectReader): PollAnswer {
  const epoch = result.string('epoch');
  return {
    items: (result.objects('items') ?? []).map(readItem),
    ...(epoch === undefined ? {} : { epoch }),
  };
}

function readItem(item: ObjectReader): PolledItem {
  const data = item.payload('data');
  const version = item.integer('version');
  const removed = item.boolean('removed');
  return {
    key: item.string('key') ?? '',
    ...(data === undefined ? {} : { data }),
    ...(version === undefined ? {} : { version }),
    ...(removed === undefined ? {} : { removed }),
  };
}
