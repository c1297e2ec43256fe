import { describe, expect, test } from 'vitest';
import type { Revocation, RevocationStore } from '../ports/revocation-store.ts';
import { type PortTestbed, uniqueName } from './port-testbed.ts';

const changedAt = 1_700_000_000_000;

function revocation(subject: string, more: Partial<Revocation> = {}): Revocation {
  return { kind: 'user', subject, expireAt: 0, changedAt, ...more };
}

/**
 * The contract of {@link RevocationStore} as tests: every implementation passes it unchanged.
 * @param createTestbed is called once per test
 */
export function describeRevocationStore(
  name: string,
  createTestbed: () => Promise<PortTestbed<RevocationStore>>,
): void {
  describe(`${name} as a revocation store`, () => {
    async function load(store: RevocationStore, subject: string): Promise<readonly Revocation[]> {
      return (await store.load()).filter((loaded) => loaded.subject === subject);
    }

    test('every node loads what any node put, whole', async () => {
      await using testbed = await createTestbed();
      const [store, other] = [await testbed.addNode(), await testbed.addNode()];
      const subject = uniqueName('ünï "quoted" \\ user');
      const put: readonly Revocation[] = [
        revocation(subject),
        revocation(subject, { kind: 'token', expireAt: 2_000_000_000 }),
        revocation(subject, {
          kind: 'tokens_of_user',
          expireAt: 2_000_000_000,
          issuedBefore: 1_700_000_000,
        }),
      ];
      for (const each of put) await store.put(each);
      const loaded = await load(other, subject);
      expect(loaded).toHaveLength(3);
      expect(loaded).toEqual(expect.arrayContaining([...put]));
      expect(other.problem()).toBeUndefined();
    });

    test('of two for the same, the one that was changed later counts, in whatever order they come', async () => {
      await using testbed = await createTestbed();
      const store = await testbed.addNode();
      const [early, late] = [uniqueName('early'), uniqueName('late')];
      const newer = { changedAt: changedAt + 1, expireAt: 2_000_000_000 };
      await store.put(revocation(early));
      await store.put(revocation(early, newer));
      await store.put(revocation(late, newer));
      await store.put(revocation(late));
      expect(await load(store, early)).toEqual([revocation(early, newer)]);
      expect(await load(store, late)).toEqual([revocation(late, newer)]);
    });

    test('names of strangers are names like others', async () => {
      await using testbed = await createTestbed();
      const store = await testbed.addNode();
      for (const subject of ['__proto__', 'constructor', 'a b', 'user a', "'; --", '%']) {
        await store.put(revocation(subject));
        expect(await load(store, subject)).toEqual([revocation(subject)]);
      }
    });

    test('one that was lifted does not come back', async () => {
      await using testbed = await createTestbed();
      const store = await testbed.addNode();
      const subject = uniqueName('lifted');
      await store.put(revocation(subject));
      await store.put(revocation(subject, { expireAt: 1, changedAt: changedAt + 1 }));
      expect((await load(store, subject)).filter(({ expireAt }) => expireAt !== 1)).toEqual([]);
    });
  });
}
