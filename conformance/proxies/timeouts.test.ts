import { setTimeout as delay } from 'node:timers/promises';
import { EventSource } from 'eventsource';
import { describe, expect, test, type TestContext, vi } from 'vitest';
import { WebSocket } from 'ws';
import { impatientProxies } from './broken-proxies.ts';
import {
  centrifuge,
  examineProxy,
  startProxiedServer,
  troubles,
  type ProxiedServer,
} from './proxied-server.ts';

const patient = { timeout: 60_000, interval: 50 };

/** What one subscriber has got, as a `centrifuge` client has it. */
function subscribe(url: string, { onTestFinished }: TestContext): readonly unknown[] {
  const received: unknown[] = [];
  const client = centrifuge(url, ['websocket']);
  onTestFinished(() => client.disconnect());
  const subscription = client.newSubscription('all');
  subscription.on('publication', ({ data }) => received.push(data));
  subscription.subscribe();
  client.connect();
  return received;
}

/** The same over an `EventSource`, which comes back with the id of the last event. */
function listen(url: string, { onTestFinished }: TestContext): readonly unknown[] {
  const received: unknown[] = [];
  const connect = encodeURIComponent(JSON.stringify({ subs: { all: { recover: true } } }));
  const source = new EventSource(`${url}/connection/uni_sse?cf_connect=${connect}`);
  onTestFinished(() => source.close());
  source.addEventListener('message', ({ data }) => {
    const message = JSON.parse(String(data)) as {
      readonly pub?: { readonly data: unknown };
      readonly connect?: {
        readonly subs?: Record<string, { readonly publications?: readonly { data: unknown }[] }>;
      };
    };
    if (message.pub !== undefined) received.push(message.pub.data);
    for (const publication of message.connect?.subs?.all?.publications ?? []) {
      received.push(publication.data);
    }
  });
  return received;
}

/** A connected `ws` client that says nothing more. Resolves with the code that ends it. */
function fallSilent(url: string, { onTestFinished }: TestContext): Promise<number> {
  const socket = new WebSocket(`${url.replace('http', 'ws')}/connection/websocket`);
  onTestFinished(() => socket.terminate());
  socket.on('open', () => socket.send('{"id":1,"connect":{}}'));
  return new Promise((resolve, reject) => {
    socket.on('close', resolve);
    socket.on('error', reject);
  });
}

function countFault(server: ProxiedServer, fault: string): number {
  return server.running.hub.metrics.proxyFaults.counts.get(fault) ?? 0;
}

describe('a proxy that is too impatient: nothing is missed, the doctor and the server name it', () => {
  test.concurrent.for(impatientProxies)('$name', async (broken, context) => {
    await using server = await startProxiedServer();
    await using proxy = await broken.start(server);
    const { hub } = server.running;
    const isWebSocketCut = broken.troubles.idle === 'fail';
    const subscribers = [subscribe(proxy.url, context), listen(proxy.url, context)];
    await vi.waitFor(() => expect(hub.metrics.subscriptions).toBe(2), patient);
    // Whenever somebody is cut, something is said that this one misses.
    let said = 0;
    const stop = hub.on('disconnected', () => void hub.publish('all', said++));
    const examined = examineProxy(proxy.url, { idleSeconds: 4 });
    // At different moments, as people come: what ends at once tells of nothing but one event.
    const ends: Promise<number>[] = [];
    for (let moment = 0; moment < 6; moment += 1) {
      ends.push(fallSilent(proxy.url, context));
      if (!isWebSocketCut) listen(proxy.url, context);
      await delay(300);
    }
    const findings = await examined;
    expect(troubles(findings)).toEqual(broken.troubles);
    const [check, cause, mend] = broken.named;
    expect(findings.get(check)).toMatchObject({
      cause: expect.stringMatching(cause),
      mend: expect.stringMatching(mend),
    });
    const codes = isWebSocketCut ? await Promise.all(ends) : [];
    expect(codes.every((code) => code === 1006)).toBe(true);
    await vi.waitFor(() => expect(countFault(server, 'idle_timeout')).toBeGreaterThan(0), patient);
    const told = server.warnings.filter(({ kind }) => kind === 'idle_timeout');
    expect(told).toHaveLength(1);
    expect(told[0]).toMatchObject({
      proxy: '127.0.0.1',
      msg: expect.stringMatching(/silent for [1-3](?:\.\d)? s.*every 25 s.*ping_interval to 1s/),
    });
    await vi.waitFor(() => {
      expect(hub.metrics.recoveries.counts.get('yes')).toBeGreaterThan(0);
    }, patient);
    stop();
    const expected = Array.from({ length: said }, (_, number) => number);
    expect(said).toBeGreaterThan(5);
    await vi.waitFor(() => expect(subscribers).toEqual([expected, expected]), patient);
  });

  test.concurrent('pings that are faster keep connections', async () => {
    await using server = await startProxiedServer({
      client: { ping_interval: '1s', pong_timeout: '500ms' },
    });
    const [nginx] = impatientProxies;
    await using proxy = await nginx!.start(server);
    const findings = await examineProxy(proxy.url, { idleSeconds: 4 });
    expect(troubles(findings)).toEqual({});
    expect(findings.get('server_ping')?.status).toBe('pass');
    expect(findings.get('silence')?.evidence).toMatch(/WebSocket: ended after [1-3]\.\d s/);
  });
});
