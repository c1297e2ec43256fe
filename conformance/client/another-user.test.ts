import { describe, expect, test, vi } from 'vitest';
import { createClient } from '@holdfast/client';
import { createSharedClient } from '@holdfast/client/shared';
import { ReplyError } from '@holdfast/protocol';
import { keyedHub as hub, signKeys } from './keyed-hub.ts';
import {
  holderAmong,
  mapsShow,
  open,
  openMap,
  openPoll,
  patient,
  type PollSetup,
  pollsShow,
  startBackend,
  type Tab,
  valuesOf,
} from './keyed-tabs.ts';
import type { RunningApp } from './running-app.ts';
import { startTokenApp, tokenOf } from './token-app.ts';

/** A connection that becomes another user's, by a new token. */

const rules = { ...hub.channel!.withoutNamespace, allowSubscribeForClient: true };
const forUsers = {
  ...hub,
  channel: {
    namespaces: hub.channel!.namespaces!.map((namespace) => Object.assign({}, rules, namespace)),
  },
};

/** Who sits there: Ann, until somebody else is given to a tab. */
function person() {
  let user = 'ann';
  return {
    get user() {
      return user;
    },
    options: { getToken: async () => tokenOf(user) },
    signIn: (other: string) => {
      user = other;
    },
    become: (other: string, { client }: Tab) => {
      user = other;
      client.setToken(tokenOf(other));
    },
  };
}

async function openAnnsMaps(running: RunningApp, { options }: ReturnType<typeof person>) {
  await running.hub.publishMap('map:a', { key: 'x', data: 1 });
  const tabs = [openMap(running, options), openMap(running, options)] as const;
  await mapsShow(tabs, { x: 1 });
  return tabs;
}

test('another user who may not follow a map ends it in every tab, and is shown nothing of it', async () => {
  await using running = await startTokenApp({ hub: forUsers });
  running.hub.on('subscribing', ({ connection }) => {
    if (connection.user !== 'ann') throw new ReplyError(103, 'permission denied');
    return undefined;
  });
  const whoever = person();
  const tabs = await openAnnsMaps(running, whoever);
  whoever.become('bob', tabs[0]);
  const late = openMap(running, whoever.options);
  await vi.waitFor(() => {
    for (const { map } of [...tabs, late]) {
      expect(map.state).toMatchObject({ status: 'unsubscribed', problem: { code: 103 } });
    }
  }, patient);
  expect(late).toMatchObject({ syncs: 0, changes: [] });
  expect(late.map.entries.size).toBe(0);
});

test('another user who may follow it goes on without a gap', async () => {
  await using running = await startTokenApp({ hub: forUsers });
  const whoever = person();
  const tabs = await openAnnsMaps(running, whoever);
  whoever.become('bob', tabs[0]);
  await vi.waitFor(async () => {
    const { connections } = await running.hub.connections();
    expect(connections.map(({ user }) => user)).toEqual(['bob']);
  }, patient);
  await running.hub.publishMap('map:a', { key: 'y', data: 2 });
  await mapsShow(tabs, { x: 1, y: 2 });
  const all = [...tabs, openMap(running, whoever.options)];
  await mapsShow(all, { x: 1, y: 2 });
  expect(all.map(({ syncs }) => syncs)).toEqual([1, 1, 1]);
});

const connections = [
  ['own', createClient],
  ['shared', createSharedClient],
] as const;

const mapNamespace = hub.channel!.namespaces!.find(({ name }) => name === 'map');

describe.each(connections)('another user, over a connection that is %s', (_, create) => {
  /** Bob may see `b` alone, and his backend answers when it is let. */
  function pollsOf(whoever: ReturnType<typeof person>) {
    const gate = Promise.withResolvers<void>();
    const setup: PollSetup = {
      create,
      client: whoever.options,
      sign: async (keys) => {
        const { user } = whoever;
        if (user === 'bob') await gate.promise;
        return signKeys(
          keys.filter((key) => user === 'ann' || key === 'b'),
          user,
        );
      },
    };
    return { setup, answer: () => gate.resolve() };
  }

  test('has keys of a shared poll signed anew, and sees none that are not his', async () => {
    await using running = await startTokenApp({ hub: forUsers });
    const backend = startBackend(running);
    backend.set('a', 1);
    backend.set('b', 1);
    const whoever = person();
    const { setup, answer } = pollsOf(whoever);
    const tabs = [openPoll(running, ['a', 'b'], setup), openPoll(running, ['a'], setup)] as const;
    await pollsShow([
      [tabs[0], { a: 1, b: 1 }],
      [tabs[1], { a: 1 }],
    ]);
    whoever.become('bob', tabs[0]);
    if (create === createClient) whoever.become('bob', tabs[1]);
    // As long as nobody has said what he may see, he sees nothing.
    await pollsShow([
      [tabs[0], {}],
      [tabs[1], {}],
    ]);
    expect(tabs[0].changes).toContainEqual(['b', undefined]);
    const late = openPoll(running, ['a', 'b'], setup);
    answer();
    await pollsShow([
      [tabs[0], { b: 1 }],
      [late, { b: 1 }],
    ]);
    backend.set('a', 2);
    backend.set('b', 2);
    await pollsShow([
      [tabs[0], { b: 2 }],
      [tabs[1], {}],
      [late, { b: 2 }],
    ]);
    const seen = late.changes.filter(([, value]) => value !== undefined);
    expect(seen).toEqual([
      ['b', 1],
      ['b', 2],
    ]);
    // What was refused to him can be asked for by the next.
    whoever.become('ann', tabs[0]);
    tabs[0].poll.track(['a']);
    await pollsShow([[tabs[0], { a: 2, b: 2 }]]);
  });

  test('is let into channels by tokens of his own', async () => {
    await using running = await startTokenApp({
      hub: { ...hub, channel: { namespaces: [{ name: 'private' }, mapNamespace!] } },
    });
    const whoever = person();
    const asked: string[] = [];
    const received: unknown[] = [];
    const tab = open(
      running,
      {
        ...whoever.options,
        getChannelToken: async (channel) => {
          asked.push(`${whoever.user} ${channel}`);
          return tokenOf(whoever.user, { channel });
        },
      },
      create,
    );
    const { client } = tab;
    const stream = client.subscribe('private:a', {
      onPublication: ({ data }) => received.push(data),
    });
    const map = client.subscribeMap<number>('map:a');
    const both = () =>
      vi.waitFor(() => {
        expect(client.state.status).toBe('connected');
        expect([stream.state.status, map.state.status]).toEqual(['subscribed', 'subscribed']);
      }, patient);
    await both();
    whoever.become('bob', tab);
    await vi.waitFor(() => {
      const askedFor = ['ann map:a', 'ann private:a', 'bob map:a', 'bob private:a'];
      expect(asked.toSorted()).toEqual(askedFor);
    }, patient);
    await both();
    await running.hub.publish('private:a', 1);
    await vi.waitFor(() => expect(received).toEqual([1]), patient);
  });
});

test('another user, to whom the next holder of a shared connection belongs, is shown nothing of before', async () => {
  await using running = await startTokenApp({ hub: forUsers });
  const backend = startBackend(running);
  backend.set('a', 1);
  const whoever = person();
  const setup: PollSetup = {
    client: whoever.options,
    sign: (keys) =>
      whoever.user === 'ann' ? signKeys(keys, 'ann') : Promise.withResolvers<never>().promise,
  };
  const tabs = [openPoll(running, ['a'], setup), openPoll(running, ['a'], setup)];
  await pollsShow(tabs.map((tab) => [tab, { a: 1 }] as const));
  whoever.signIn('bob');
  const holder = await holderAmong(tabs);
  holder.client.close();
  const next = tabs.find((tab) => tab !== holder)!;
  await vi.waitFor(() => expect(valuesOf(next.poll)).toEqual({}), patient);
  expect(next.client.state.heldBy).toBe('this_page');
});
