import { once } from 'node:events';
import { connect } from 'node:net';
import { startOwned } from '@holdfast/store/testing/owned-process';
import type { HubOptions } from '@holdfast/hub';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { useBrowser } from './test-browser.ts';
import { startHub } from './running-hub.ts';

const oneWay: HubOptions = {
  client: { insecure: true, allowedOrigins: ['*'], pingIntervalMs: 500 },
  http: {
    uniSse: { enabled: true },
    uniHttpStream: { enabled: true },
    uniWebsocket: { enabled: true },
  },
  channel: {
    withoutNamespace: { historySize: 3, historyTtlMs: 60_000, forceRecovery: true },
  },
};

const connectToNews = JSON.stringify({ subs: { news: {} } });

/** A program of somebody else; what it prints, as it comes. */
function run(command: string, args: readonly string[]) {
  const child = startOwned(command, args, { stdio: ['pipe', 'pipe', 'pipe'] });
  const output = { text: '' };
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => (output.text += text));
  }
  return { child, output };
}

interface Push {
  readonly connect?: { readonly client: string; readonly subs: object };
  readonly channel?: string;
  readonly pub?: { readonly data: unknown; readonly offset: number };
  readonly disconnect?: { readonly code: number };
}

function pushesOf(text: string): readonly Push[] {
  return text
    .split('\n')
    .map((line) => line.replace(/^(data: |< )/, '').trim())
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as Push);
}

function dataOf(text: string): readonly unknown[] {
  return pushesOf(text).flatMap(({ pub }) => (pub === undefined ? [] : [pub.data]));
}

describe('curl', () => {
  test('reads newline-delimited pushes', async () => {
    await using running = await startHub(oneWay);
    const url = running.at('/connection/uni_http_stream');
    const { output } = run('curl', ['-sN', '-d', connectToNews, url]);
    await vi.waitFor(() => expect(pushesOf(output.text)[0]?.connect?.subs).toHaveProperty('news'));
    await running.hub.publish('news', 'hello');
    await vi.waitFor(() => expect(dataOf(output.text)).toEqual(['hello']));
    await vi.waitFor(() => expect(output.text).toContain('\n{}\n'));
  });

  test('reads server-sent events, each with the positions to resume from', async () => {
    await using running = await startHub(oneWay);
    const url = `${running.at('/connection/uni_sse')}?cf_connect=${encodeURIComponent(connectToNews)}`;
    const { output } = run('curl', ['-sN', url]);
    await vi.waitFor(() => expect(output.text).toContain('"connect"'));
    await running.hub.publish('news', 'hello');
    await vi.waitFor(() => expect(dataOf(output.text)).toEqual(['hello']));
    expect(output.text).toMatch(/\nid: [\w-]+\ndata: \{"channel":"news"/);
  });

  test('is told why the connection ends', async () => {
    await using running = await startHub(oneWay);
    const url = running.at('/connection/uni_http_stream');
    const { child, output } = run('curl', ['-sN', '-d', connectToNews, url]);
    await vi.waitFor(() => expect(output.text).toContain('"connect"'));
    const exited = new Promise((resolve) => child.once('exit', resolve));
    await running.hub.disconnect({ user: '' });
    expect(await exited).toBe(0);
    expect(pushesOf(output.text).at(-1)?.disconnect).toEqual({
      code: 3503,
      reason: 'force disconnect',
    });
  });

  test.each([
    ['text that is not JSON', 'nonsense', 3501],
    ['a channel of no namespace', '{"subs":{"nowhere:a":{}}}', 3501],
  ])('with %s is refused', async (_, body, code) => {
    await using running = await startHub(oneWay);
    const { output } = run('curl', ['-sN', '-d', body, running.at('/connection/uni_http_stream')]);
    await vi.waitFor(() => expect(pushesOf(output.text).at(-1)?.disconnect?.code).toBe(code), {
      timeout: 60_000,
    });
  });
});

test('wscat gets one push per frame', async () => {
  await using running = await startHub(oneWay);
  const url = running.at('/connection/uni_websocket').replace('http:', 'ws:');
  const query = encodeURIComponent(connectToNews);
  const { output } = run('npx', ['wscat', '--no-color', '-c', `${url}?cf_connect=${query}`]);
  await vi.waitFor(() => expect(output.text).toContain('"connect"'), { timeout: 60_000 });
  await Promise.all([1, 2, 3].map((value) => running.hub.publish('news', value)));
  await vi.waitFor(() => expect(dataOf(output.text)).toEqual([1, 2, 3]));
});

describe('EventSource in a browser', () => {
  const chromium = useBrowser();

  async function listen(url: string, home: string) {
    const page = await chromium.browser.newPage();
    onTestFinished(() => page.close());
    await page.goto(home);
    await page.evaluate((address) => {
      const messages: unknown[] = [];
      Object.assign(globalThis, { messages });
      new EventSource(address).addEventListener('message', (event) => {
        messages.push(JSON.parse(event.data as string));
      });
    }, url);
    return () => page.evaluate(() => (globalThis as unknown as { messages: Push[] }).messages);
  }

  test('continues where it stopped, or is told that it cannot', async () => {
    await using running = await startHub(oneWay);
    const url = `${running.at('/connection/uni_sse')}?cf_connect=${encodeURIComponent(connectToNews)}`;
    const messages = await listen(url, running.at('/connection/init'));
    const seen = async (): Promise<readonly unknown[]> =>
      (await messages()).flatMap((push) => (push.pub === undefined ? [] : [push.pub.data]));
    const connects = async () => (await messages()).flatMap(({ connect }) => connect ?? []);
    await vi.waitFor(async () => expect(await connects()).toHaveLength(1));
    await running.hub.publish('news', 'before');
    await vi.waitFor(async () => expect(await seen()).toEqual(['before']));
    running.cutConnections();
    await running.hub.publish('news', 'meanwhile');
    await vi.waitFor(async () => expect(await connects()).toHaveLength(2), { timeout: 60_000 });
    expect((await connects())[1]?.subs).toMatchObject({
      news: { recovered: true, publications: [{ data: 'meanwhile' }] },
    });
    running.cutConnections();
    for (const value of [1, 2, 3, 4, 5]) await running.hub.publish('news', value);
    await vi.waitFor(async () => expect(await connects()).toHaveLength(3), { timeout: 60_000 });
    const last = (await connects())[2]?.subs as { news: object };
    expect(last.news).toMatchObject({ was_recovering: true });
    expect(last.news).not.toHaveProperty('recovered');
    await running.hub.publish('news', 'after');
    await vi.waitFor(async () => expect((await seen()).at(-1)).toBe('after'));
  });
});

describe('bad input', () => {
  const post = (url: string, body: string, headers: Record<string, string> = {}) =>
    fetch(url, { method: 'POST', body, headers });

  test.each([
    ['http_stream', '/connection/http_stream'],
    ['emulation', '/emulation'],
    ['uni_http_stream', '/connection/uni_http_stream'],
  ])('%s refuses a body over the limit', async (_, path) => {
    await using running = await startHub(oneWay);
    const response = await post(running.at(path), 'x'.repeat(70_000));
    expect(response.status).toBe(413);
    expect(await response.json()).toMatchObject({ error: { code: 'body_too_large' } });
  });

  test.each([
    ['not JSON', 'nonsense', 400],
    ['no session', '{"node":"x","data":"{}"}', 400],
    ['an unknown node', '{"node":"x","session":"y","data":"{}"}', 404],
  ])('emulation with %s', async (_, body, status) => {
    await using running = await startHub(oneWay);
    expect((await post(running.at('/emulation'), body)).status).toBe(status);
  });

  test('emulation for a session that is gone is no error: its stream has ended', async () => {
    await using running = await startHub(oneWay);
    const body = JSON.stringify({ node: running.hub.nodeId, session: 'gone', data: '{}' });
    expect((await post(running.at('/emulation'), body)).status).toBe(204);
  });

  test('a request that is never finished leaves nothing behind', async () => {
    await using running = await startHub(oneWay);
    const before = running.hub.metrics.connections;
    for (const path of ['/connection/http_stream', '/emulation', '/connection/uni_http_stream']) {
      const socket = connect(running.port, '127.0.0.1');
      await once(socket, 'connect');
      socket.write(`POST ${path} HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n{"id":1,`);
      await new Promise((resolve) => setImmediate(resolve));
      socket.destroy();
    }
    const response = await post(running.at('/emulation'), 'nonsense');
    expect(response.status).toBe(400);
    expect(running.hub.metrics.connections).toBe(before);
  });

  test('other methods are refused, preflights are answered', async () => {
    await using running = await startHub(oneWay);
    const url = running.at('/connection/http_stream');
    expect((await fetch(url)).status).toBe(405);
    const preflight = await fetch(url, {
      method: 'OPTIONS',
      headers: { Origin: 'https://app.example', 'Access-Control-Request-Headers': 'x-thing' },
    });
    expect(preflight.status).toBe(204);
    expect(Object.fromEntries(preflight.headers)).toMatchObject({
      'access-control-allow-origin': 'https://app.example',
      'access-control-allow-credentials': 'true',
      'access-control-allow-headers': 'x-thing',
      'access-control-max-age': '300',
    });
  });

  test('a foreign origin is refused everywhere', async () => {
    await using running = await startHub({ ...oneWay, client: { allowedOrigins: [] } });
    for (const path of ['/connection/http_stream', '/emulation', '/connection/uni_sse']) {
      const headers = { Origin: 'https://evil.example' };
      const response = await post(running.at(path), '{}', headers);
      expect(response.status).toBe(403);
      // The page may read why, and nothing else.
      expect(response.headers.get('access-control-allow-credentials')).toBeNull();
    }
  });

  test('a stream whose client stopped reading is cut at its limit', async () => {
    await using running = await startHub({
      ...oneWay,
      client: { ...oneWay.client, queueMaxSizeBytes: 100_000 },
      channel: {},
    });
    const response = await post(running.at('/connection/uni_http_stream'), connectToNews);
    const reader = response.body?.getReader();
    await reader?.read();
    const { metrics } = running.hub;
    for (let count = 0; count < 700 && !metrics.disconnects.counts.has('3008'); count += 1) {
      await running.hub.publish('news', 'x'.repeat(40_000));
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(metrics.disconnects.counts.get('3008')).toBe(1);
    await reader?.cancel();
  });

  test('a connect that is refused over emulation waits, so that a loop of older SDKs is a slow one', async () => {
    await using running = await startHub({ ...oneWay, client: { insecure: false } });
    const startedAt = performance.now();
    const response = await post(running.at('/connection/http_stream'), '{"id":1,"connect":{}}');
    expect(await response.text()).toContain('3501');
    expect(performance.now() - startedAt).toBeGreaterThan(900);
  });
});
