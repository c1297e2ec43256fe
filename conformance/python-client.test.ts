import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { startOwned } from '@holdfast/store/testing/owned-process';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { startHub } from './running-hub.ts';

const sdk = 'centrifuge-python==0.7.0';
const folder = mkdtempSync(path.join(tmpdir(), 'holdfast-python-'));
const python = path.join(folder, 'bin', 'python');

/** The SDK comes from the package index, into an environment of its own. */
beforeAll(() => {
  execFileSync('python3', ['-m', 'venv', folder], { stdio: ['ignore', 'ignore', 'inherit'] });
  execFileSync(python, ['-m', 'pip', 'install', '--quiet', sdk], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
});

afterAll(() => {
  if (existsSync(folder)) rmSync(folder, { recursive: true, force: true });
});

interface Event {
  readonly event: string;
  readonly [name: string]: unknown;
}

function startSubscriber(url: string, format: string, delta: 'delta' | 'plain') {
  const script = path.join(import.meta.dirname, 'python-client.py');
  const child = startOwned(python, [script, url, format, delta], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const events: Event[] = [];
  createInterface(child.stdout).on('line', (line) => events.push(JSON.parse(line) as Event));
  return {
    events,
    of: (name: string) => events.filter(({ event }) => event === name),
    async ask(command: string, answer: string): Promise<Event | undefined> {
      const before = events.filter(({ event }) => event === answer).length;
      child.stdin.write(`${command}\n`);
      await vi.waitFor(
        () => expect(events.filter(({ event }) => event === answer).length).toBe(before + 1),
        { timeout: 60_000 },
      );
      return events.findLast(({ event }) => event === answer);
    },
  };
}

const waiting = { timeout: 60_000 };

describe.each([
  ['json', 'plain'],
  ['protobuf', 'plain'],
  ['json', 'delta'],
  ['protobuf', 'delta'],
] as const)('the Python SDK with %s and %s data', (format, delta) => {
  test('publishes, reads, and misses nothing when its connection is cut', async () => {
    await using running = await startHub({
      channel: {
        withoutNamespace: {
          presence: true,
          historySize: 100,
          historyTtlMs: 60_000,
          forceRecovery: true,
          allowedDeltaTypes: ['fossil'],
          deltaPublish: true,
        },
      },
    });
    const subscriber = startSubscriber(running.url, format, delta);
    await vi.waitFor(() => expect(subscriber.of('subscribed')).toHaveLength(1), waiting);
    const text = 'a text that stays the same while a number in it changes';
    const seen = () => subscriber.of('publication').map(({ data }) => data);
    await running.hub.publish('news', { text, n: 1 });
    await running.hub.publish('news', { text, n: 2 });
    await vi.waitFor(() => expect(seen()).toHaveLength(2), waiting);
    await subscriber.ask('publish', 'published');
    expect(await subscriber.ask('presence', 'presence')).toMatchObject({ clients: 1 });
    running.cutConnections();
    await running.hub.publish('news', { text, n: 3 });
    await running.hub.publish('news', { text, n: 4 });
    await vi.waitFor(() => expect(subscriber.of('subscribed')).toHaveLength(2), waiting);
    expect(subscriber.of('subscribed')[1]).toMatchObject({
      was_recovering: true,
      recovered: true,
    });
    await running.hub.publish('news', { text, n: 5 });
    const all = [
      { text, n: 1 },
      { text, n: 2 },
      { from: 'python' },
      { text, n: 3 },
      { text, n: 4 },
      { text, n: 5 },
    ];
    await vi.waitFor(() => expect(seen()).toEqual(all), waiting);
    expect(await subscriber.ask('history', 'history')).toMatchObject({ data: all });
    await subscriber.ask('unsubscribe', 'unsubscribed');
    await vi.waitFor(() => expect(running.hub.metrics.subscriptions).toBe(0));
  });
});
