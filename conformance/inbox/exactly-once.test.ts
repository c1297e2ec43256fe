import { expect, test } from 'vitest';
import { runKilledServer, userOf } from './killed-server.ts';

// The same with ten thousand sends: `npx node --conditions=@holdfast/source conformance/inbox/exactly-once-run.ts`
test('the server is killed again and again: an application hears each notification exactly once', async () => {
  const sends = 600;
  const users = 4;
  const result = await runKilledServer({ sends, users, maxSendsPerLife: 400 });
  for (const [user, numbers] of result.heard) {
    const expected = Array.from({ length: sends }, (_, send) => send).filter(
      (send) => userOf(send, users) === user,
    );
    expect(numbers.toSorted((a, b) => a - b)).toEqual(expected);
    expect(new Set(result.ids.get(user)).size).toBe(numbers.length);
    expect(result.unread.get(user)).toBe(expected.length);
  }
  expect(result.kills).toBeGreaterThan(0);
}, 240_000);
