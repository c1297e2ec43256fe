import { expect, test } from 'vitest';
import { LastSeen } from './last-seen.ts';
import { HubMetrics } from './metrics.ts';
import { defaultClientOptions } from './client-options.ts';
import { SessionRegistry } from './session-registry.ts';
import type { Session } from './session.ts';
import { ManualClock } from './testing/manual-clock.ts';

/** What the registry looks at. */
function sessionOf(user: string, id: string, sessionId = ''): Session {
  return { id, sessionId, user } as Session;
}

function setUp(...sessions: readonly Session[]) {
  const metrics = new HubMetrics();
  const lastSeen = new LastSeen(defaultClientOptions, new ManualClock(1_000));
  const registry = new SessionRegistry(metrics, lastSeen);
  for (const session of sessions) registry.add(session);
  const idsOf = (user: string): readonly string[] => registry.select({ user }).map(({ id }) => id);
  return { metrics, registry, idsOf, lastSeen };
}

const anna1 = sessionOf('anna', 'a1', 's1');
const anna2 = sessionOf('anna', 'a2');
const anna3 = sessionOf('anna', 'a3');
const ben = sessionOf('ben', 'b');

test('finds sessions by client, session id and user', () => {
  const { registry, idsOf } = setUp(anna1, ben, anna2, anna3);
  expect(registry.byClient('a2')).toBe(anna2);
  expect(registry.bySessionId('s1')).toBe(anna1);
  expect(registry.bySessionId('')).toBeUndefined();
  expect(idsOf('anna')).toEqual(['a1', 'a2', 'a3']);
  expect(idsOf('ben')).toEqual(['b']);
  expect(idsOf('nobody')).toEqual([]);
  expect(['anna', 'ben', 'nobody'].map((user) => registry.connectionsOf(user))).toEqual([3, 1, 0]);
});

test('selects some of a user', () => {
  const { registry } = setUp(anna1, anna2, anna3);
  expect(registry.select({ user: 'anna', client: 'a2' })).toEqual([anna2]);
  expect(registry.select({ user: 'anna', session: 's1' })).toEqual([anna1]);
  expect(registry.select({ user: 'anna', whitelist: ['a1', 'a3'] })).toEqual([anna2]);
});

test('forgets sessions one by one, whatever the order, and each only once', () => {
  const { registry, metrics, idsOf } = setUp(anna1, anna2, ben);
  registry.remove(anna1);
  registry.remove(anna1);
  expect(idsOf('anna')).toEqual(['a2']);
  expect(registry.bySessionId('s1')).toBeUndefined();
  registry.remove(anna3);
  expect([metrics.clients, metrics.users]).toEqual([2, 2]);
  registry.add(anna3);
  registry.remove(anna2);
  expect(idsOf('anna')).toEqual(['a3']);
  registry.remove(anna3);
  expect(idsOf('anna')).toEqual([]);
  expect([metrics.clients, metrics.users]).toEqual([1, 1]);
  registry.remove(ben);
  expect([metrics.clients, metrics.users]).toEqual([0, 0]);
});

test('a selection stays as it is while sessions end', () => {
  const { registry } = setUp(anna1, anna2);
  const selected = registry.select({ user: 'anna' });
  for (const session of selected) registry.remove(session);
  expect(selected).toEqual([anna1, anna2]);
});

test('a user is seen last when the last connection ends, an anonymous one never', () => {
  const nobody = sessionOf('', 'n');
  const { registry, lastSeen } = setUp(anna1, anna2, nobody);
  registry.remove(anna1);
  expect(lastSeen.of('anna')).toBeUndefined();
  registry.remove(anna2);
  registry.remove(nobody);
  expect(lastSeen.of('anna')).toBe(1_000);
  expect(lastSeen.of('')).toBeUndefined();
});
