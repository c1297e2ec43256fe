import { describe, expect, test } from 'vitest';
import type { PresenceStore } from '../ports/presence-store.ts';
import { bytes, clientInfo, uniqueName, type PortTestbed } from './port-testbed.ts';

const ttlMs = 60_000;

/**
 * The contract of {@link PresenceStore} as tests: every implementation passes it unchanged.
 * @param createTestbed is called once per test
 */
export function describePresenceStore(
  name: string,
  createTestbed: () => Promise<PortTestbed<PresenceStore>>,
): void {
  describe(`${name} as a presence store`, () => {
    test('every node sees every client whole', async () => {
      await using testbed = await createTestbed();
      const [store, other] = [await testbed.addNode(), await testbed.addNode()];
      const channel = uniqueName('whole');
      const infos = [
        { ...clientInfo('c1', 'ünï "quoted"'), chan_info: new Uint8Array([0, 255]) },
        { user: '', client: 'c2' },
      ];
      for (const info of infos) await store.add(channel, info, ttlMs);
      for (const reader of [store, other]) {
        expect(await reader.get(channel)).toEqual(
          new Map(infos.map((info) => [info.client, info])),
        );
        expect(await reader.stats(channel)).toEqual({ clients: 2, users: 2 });
        expect(reader.problem()).toBeUndefined();
      }
    });

    test('an unknown channel is empty', async () => {
      await using testbed = await createTestbed();
      const store = await testbed.addNode();
      const channel = uniqueName('unknown');
      expect(await store.get(channel)).toEqual(new Map());
      expect(await store.stats(channel)).toEqual({ clients: 0, users: 0 });
      await store.remove(channel, clientInfo('nobody'));
    });

    test('counts a user once, the anonymous user too', async () => {
      await using testbed = await createTestbed();
      const store = await testbed.addNode();
      const channel = uniqueName('users');
      for (const [client, user] of [
        ['c1', 'ann'],
        ['c2', 'ann'],
        ['c3', ''],
        ['c4', ''],
      ] as const) {
        await store.add(channel, clientInfo(client, user), ttlMs);
      }
      expect(await store.stats(channel)).toEqual({ clients: 4, users: 2 });
      await store.remove(channel, clientInfo('c1', 'ann'));
      expect(await store.stats(channel)).toEqual({ clients: 3, users: 2 });
      await store.remove(channel, clientInfo('c2', 'ann'));
      expect(await store.stats(channel)).toEqual({ clients: 2, users: 1 });
      await store.remove(channel, clientInfo('c2', 'ann'));
      expect(await store.stats(channel)).toEqual({ clients: 2, users: 1 });
    });

    test('adding again replaces what is known of the client', async () => {
      await using testbed = await createTestbed();
      const store = await testbed.addNode();
      const channel = uniqueName('replaced');
      await store.add(channel, clientInfo('c1', 'ann'), ttlMs);
      const info = { user: 'bob', client: 'c1', conn_info: bytes('{"new":true}') };
      await store.add(channel, info, ttlMs);
      expect(await store.get(channel)).toEqual(new Map([['c1', info]]));
      expect(await store.stats(channel)).toEqual({ clients: 1, users: 1 });
    });

    test('channels know nothing of each other', async () => {
      await using testbed = await createTestbed();
      const store = await testbed.addNode();
      const channel = uniqueName('a');
      for (const name of [channel, `${channel}:`, `${channel}{x}`]) {
        await store.add(name, clientInfo(name), ttlMs);
      }
      await store.remove(`${channel}:`, clientInfo(`${channel}:`));
      expect([...(await store.get(channel)).keys()]).toEqual([channel]);
      expect([...(await store.get(`${channel}:`)).keys()]).toEqual([]);
      expect([...(await store.get(`${channel}{x}`)).keys()]).toEqual([`${channel}{x}`]);
    });

    test('an entry that nobody refreshes expires, the others stay', async () => {
      await using testbed = await createTestbed();
      const [store, other] = [await testbed.addNode(), await testbed.addNode()];
      const channel = uniqueName('ttl');
      await store.add(channel, clientInfo('stays', 'ann'), 1000);
      await store.add(channel, clientInfo('goes', 'bob'), 1000);
      await store.add(channel, clientInfo('long', 'cyd'), ttlMs);
      await testbed.advance(600);
      await other.add(channel, clientInfo('stays', 'ann'), 1000);
      await testbed.advance(600);
      for (const reader of [store, other]) {
        expect([...(await reader.get(channel)).keys()].toSorted()).toEqual(['long', 'stays']);
        expect(await reader.stats(channel)).toEqual({ clients: 2, users: 2 });
      }
      await testbed.advance(600);
      expect(await store.stats(channel)).toEqual({ clients: 1, users: 1 });
      expect([...(await store.get(channel)).keys()]).toEqual(['long']);
    });

    test('a client that comes back after its entry expired is counted once', async () => {
      await using testbed = await createTestbed();
      const store = await testbed.addNode();
      const channel = uniqueName('back');
      await store.add(channel, clientInfo('c1', 'ann'), 1000);
      await testbed.advance(1100);
      await store.add(channel, clientInfo('c1', 'ann'), 1000);
      await store.add(channel, clientInfo('c2', 'ann'), 1000);
      expect(await store.stats(channel)).toEqual({ clients: 2, users: 1 });
      await store.remove(channel, clientInfo('c1', 'ann'));
      expect(await store.stats(channel)).toEqual({ clients: 1, users: 1 });
    });

    test('parallel changes of one channel are all there in the end', async () => {
      await using testbed = await createTestbed();
      const [store, other] = [await testbed.addNode(), await testbed.addNode()];
      const channel = uniqueName('parallel');
      const infos = Array.from({ length: 200 }, (_, index) =>
        clientInfo(`c${index}`, `u${index % 10}`),
      );
      await Promise.all(
        infos.map((info, index) => (index % 2 === 0 ? store : other).add(channel, info, ttlMs)),
      );
      expect(await store.stats(channel)).toEqual({ clients: 200, users: 10 });
      await Promise.all(infos.slice(0, 150).map((info) => other.remove(channel, info)));
      expect((await store.get(channel)).size).toBe(50);
      expect(await other.stats(channel)).toEqual({ clients: 50, users: 10 });
    });
  });
}
