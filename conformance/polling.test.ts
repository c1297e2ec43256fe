import { describe, expect, test, vi } from 'vitest';
import { createMemoryNetwork, ManualClock } from '@holdfast/hub/testing';
import { startHub, type RunningHub } from './running-hub.ts';

const recovering = {
  channel: { withoutNamespace: { historySize: 100, historyTtlMs: 60_000, forceRecovery: true } },
};

interface Address {
  readonly node: string;
  readonly session: string;
}

/** One request; undefined fields of the answer stand for what was not there. */
async function ask(running: RunningHub, body: unknown, signal?: AbortSignal) {
  const response = await fetch(running.at('/connection/polling'), {
    method: 'POST',
    body: typeof body === 'string' ? body : JSON.stringify(body),
    ...(signal === undefined ? {} : { signal }),
  });
  const [head = '', ...messages] = (await response.text()).split('\n');
  return {
    status: response.status,
    retryAfter: response.headers.get('retry-after'),
    cacheControl: response.headers.get('cache-control'),
    head: (head === '' ? {} : JSON.parse(head)) as {
      batch?: number;
      messages?: number;
      error?: { code: string };
    } & Partial<Address>,
    messages: messages.filter((text) => text !== '').map((text) => JSON.parse(text) as unknown),
  };
}

const connectAndSubscribe =
  '{"id":1,"connect":{}}\n{"id":2,"subscribe":{"channel":"news","flag":0}}';

/** Connects, subscribes and takes what was said about it. */
async function open(running: RunningHub): Promise<Address & { ack: number }> {
  const { head } = await ask(running, { data: connectAndSubscribe });
  const address = { node: head.node ?? '', session: head.session ?? '' };
  let ack = head.batch ?? 0;
  while ((await hasMore()) || running.hub.metrics.subscriptions === 0) {
    // Until nothing is left to be said.
  }
  return { ...address, ack };

  async function hasMore(): Promise<boolean> {
    const next = await ask(running, { ...address, ack, wait: 0 });
    ack = Math.max(ack, next.head.batch ?? 0);
    return next.messages.length > 0;
  }
}

/** A poll that has come to the server. It is answered when there is something to say. */
async function startPoll(running: RunningHub, place: Address & { readonly ack: number }) {
  const before = running.requestsRead();
  const answer = ask(running, place);
  await vi.waitFor(() => expect(running.requestsRead()).toBe(before + 1));
  return { answer };
}

const dataOf = (messages: readonly unknown[]) =>
  messages.map((message) => (message as { push?: { pub?: { data?: unknown } } }).push?.pub?.data);

describe('batches', () => {
  test('the first names the session, none is kept by anybody on the way', async () => {
    await using running = await startHub();
    const answer = await ask(running, { data: '{"id":1,"connect":{}}' });
    expect(answer).toMatchObject({
      status: 200,
      cacheControl: 'no-store',
      head: { batch: 1, messages: 1, node: running.hub.nodeId },
      messages: [{ id: 1, connect: { node: running.hub.nodeId, session: answer.head.session } }],
    });
    expect(running.hub.metrics.connectionsOpened.counts.get('polling')).toBe(1);
  });

  test('a batch comes again until it is acknowledged, and nothing after it is lost', async () => {
    await using running = await startHub(recovering);
    const { ack, ...address } = await open(running);
    await running.hub.publish('news', 1);
    const first = await ask(running, { ...address, ack });
    expect(dataOf(first.messages)).toEqual([1]);
    await running.hub.publish('news', 2);
    await running.hub.publish('news', 3);
    expect(await ask(running, { ...address, ack })).toEqual(first);
    const second = await ask(running, { ...address, ack: ack + 1 });
    expect(dataOf(second.messages)).toEqual([2, 3]);
    expect(second.head).toEqual({ batch: ack + 2, messages: 2 });
  });

  test('a poll waits for something to say; a later one takes its place', async () => {
    await using running = await startHub(recovering);
    const { ack, ...address } = await open(running);
    const earlier = await startPoll(running, { ...address, ack });
    const later = await startPoll(running, { ...address, ack });
    expect((await earlier.answer).messages).toEqual([]);
    await running.hub.publish('news', 1);
    expect(dataOf((await later.answer).messages)).toEqual([1]);
  });

  test('an answer that nobody took is not lost', async () => {
    await using running = await startHub(recovering);
    const { ack, ...address } = await open(running);
    const abort = new AbortController();
    const given = ask(running, { ...address, ack }, abort.signal).catch(() => 'given up');
    abort.abort();
    expect(await given).toBe('given up');
    await running.hub.publish('news', 1);
    expect(dataOf((await ask(running, { ...address, ack })).messages)).toEqual([1]);
  });

  test('places that cannot be are refused', async () => {
    await using running = await startHub(recovering);
    const { ack, ...address } = await open(running);
    for (const wrong of [ack + 1, ack - 1]) {
      expect((await ask(running, { ...address, ack: wrong })).status).toBe(400);
    }
  });
});

describe('commands', () => {
  test('are taken once and in order', async () => {
    await using running = await startHub(recovering);
    const address = await open(running);
    const publish = (seq: number) =>
      ask(running, {
        node: address.node,
        session: address.session,
        seq,
        data: `{"id":${seq + 10},"publish":{"channel":"news","data":${seq}}}`,
      });
    expect((await publish(1)).status).toBe(204);
    expect((await publish(1)).status).toBe(204);
    expect((await publish(3)).status).toBe(400);
    expect((await publish(2)).status).toBe(204);
    const { publications } = await running.hub.history('news', { limit: -1 });
    expect(publications.map(({ data }) => Buffer.from(data ?? []).toString())).toEqual(['1', '2']);
  });

  test('that are far too long are refused', async () => {
    await using running = await startHub();
    expect((await ask(running, { data: 'x'.repeat(70_000) })).status).toBe(413);
  });

  test('and what is no question', async () => {
    await using running = await startHub();
    expect(await ask(running, '{"ack":1}')).toMatchObject({
      status: 400,
      head: { error: { code: 'bad_request' } },
    });
  });
});

describe('the end', () => {
  test('said by the client: the session is gone at once', async () => {
    await using running = await startHub();
    const { node, session, ack } = await open(running);
    expect(running.hub.metrics.connections).toBe(1);
    expect((await ask(running, { node, session, close: true })).status).toBe(204);
    await vi.waitFor(() => expect(running.hub.metrics.connections).toBe(0));
    expect(await ask(running, { node, session, ack })).toMatchObject({
      status: 404,
      head: { error: { code: 'unknown_session' } },
    });
  });

  test('said by the server: the next poll brings the reason, also behind a batch that waits', async () => {
    await using running = await startHub(recovering);
    const { node, session, ack } = await open(running);
    await running.hub.publish('news', 1);
    await vi.waitFor(() => expect(running.hub.metrics.deliveries).toBe(1));
    await running.hub.disconnect({ user: '' }, { code: 3503, reason: 'force disconnect' });
    expect(dataOf((await ask(running, { node, session, ack })).messages)).toEqual([1]);
    expect((await ask(running, { node, session, ack: ack + 1 })).messages).toEqual([
      { push: { disconnect: { code: 3503, reason: 'force disconnect' } } },
    ]);
    await vi.waitFor(() => expect(running.hub.metrics.connections).toBe(0));
    expect(running.hub.metrics.disconnects.counts.get('3503')).toBe(1);
  });

  test('by silence, after fifteen seconds', async () => {
    const clock = new ManualClock();
    await using running = await startHub({ clock });
    await open(running);
    clock.advance(14_000);
    expect(running.hub.metrics.connections).toBe(1);
    clock.advance(2_000);
    await vi.waitFor(() => expect(running.hub.metrics.connections).toBe(0));
  });

  test('a poll that waits is answered in time, and its session stays', async () => {
    const clock = new ManualClock();
    await using running = await startHub({ clock, client: { pingIntervalMs: 0 } });
    const { ack, ...address } = await open(running);
    const before = running.hub.metrics.bytesReceived;
    const poll = await startPoll(running, { ...address, ack });
    clock.advance(20_000);
    expect((await poll.answer).messages).toEqual([]);
    expect(running.hub.metrics).toMatchObject({ connections: 1, bytesReceived: before });
  });

  test('a client that stops asking is cut when too much waits for it', async () => {
    await using running = await startHub({ client: { queueMaxSizeBytes: 65_536 } });
    await open(running);
    const large = 'x'.repeat(30_000);
    for (let n = 0; n < 6; n++) await running.hub.publish('news', large);
    await vi.waitFor(() => expect(running.hub.metrics.disconnects.counts.get('3008')).toBe(1));
  });

  test('the node shuts down: whoever polls is told', async () => {
    const running = await startHub();
    const { ack, ...address } = await open(running);
    const poll = await startPoll(running, { ...address, ack });
    await running.hub.shutdown({ timeoutMs: 60_000 });
    expect((await poll.answer).messages).toMatchObject([{ push: { disconnect: { code: 3001 } } }]);
    expect(await ask(running, { data: '{"id":1,"connect":{}}' })).toMatchObject({
      status: 503,
      retryAfter: '1',
    });
    await running[Symbol.asyncDispose]();
  });
});

describe('strangers', () => {
  test('are refused by their origin', async () => {
    await using running = await startHub({ client: { allowedOrigins: ['https://ours.example'] } });
    const from = (Origin: string) =>
      fetch(running.at('/connection/polling'), {
        method: 'POST',
        headers: { Origin },
        body: '{"data":"{\\"id\\":1,\\"connect\\":{}}"}',
      });
    expect((await from('https://theirs.example')).status).toBe(403);
    const ours = await from('https://ours.example');
    expect(ours.status).toBe(200);
    expect(ours.headers.get('access-control-allow-origin')).toBe('https://ours.example');
  });

  test('and by their haste', async () => {
    await using running = await startHub({ clock: new ManualClock() });
    const { ack, ...address } = await open(running);
    const answers = await Promise.all(
      Array.from({ length: 400 }, () => ask(running, { ...address, ack, wait: 0 })),
    );
    const hasty = answers.filter(({ status }) => status === 429);
    expect(hasty.length).toBeGreaterThan(50);
    expect(hasty[0]?.retryAfter).toBe('1');
  });

  test('and what is switched off is not there', async () => {
    await using running = await startHub({ http: { polling: { enabled: false } } });
    const response = await fetch(running.at('/connection/polling'), { method: 'POST', body: '{}' });
    expect(response.status).toBe(404);
  });
});

describe('another node takes the requests', () => {
  test('polls, commands and the end reach the session', async () => {
    const network = createMemoryNetwork();
    await using home = await startHub({ ...recovering, ...network.addNode() });
    await using other = await startHub({ ...recovering, ...network.addNode() });
    await vi.waitFor(() => expect(other.hub.nodes()).toHaveLength(2));
    const { ack, ...address } = await open(home);
    const { answer } = await startPoll(other, { ...address, ack });
    const data = '{"id":9,"publish":{"channel":"news","data":"through another node"}}';
    expect((await ask(other, { ...address, seq: 1, data })).status).toBe(204);
    const { messages } = await answer;
    const all = [...messages];
    let place = ack + 1;
    while (all.length < 2) {
      all.push(...(await ask(other, { ...address, ack: place })).messages);
      place += 1;
    }
    expect(dataOf(all)).toContain('through another node');
    expect(all).toContainEqual({ id: 9, publish: {} });
    expect((await ask(other, { ...address, close: true })).status).toBe(204);
    await vi.waitFor(() => expect(home.hub.metrics.connections).toBe(0));
    expect((await ask(other, { ...address, ack: place })).status).toBe(404);
  });

  test('a node that nobody knows is a connection that is gone', async () => {
    await using running = await startHub();
    const answer = await ask(running, { node: 'gone', session: 'gone', ack: 0 });
    expect(answer).toMatchObject({ status: 404, head: { error: { code: 'unknown_session' } } });
  });
});
