import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { beforeEach, describe, expect, test } from 'vitest';
import { HubMetrics } from '../metrics.ts';
import { defaultClientOptions } from '../client-options.ts';
import type { Session } from '../session.ts';
import { ManualClock } from '../testing/manual-clock.ts';
import { RecordedLogger } from '../testing/recorded-logger.ts';
import { ProxyFaults } from './proxy-faults.ts';

let logger: RecordedLogger;
let metrics: HubMetrics;
let clock: ManualClock;
let faults: ProxyFaults;

beforeEach(() => {
  logger = new RecordedLogger();
  metrics = new HubMetrics();
  clock = new ManualClock();
  faults = new ProxyFaults({ logger, metrics, clock, options: defaultClientOptions });
});

const kinds = (): readonly unknown[] =>
  logger.lines.map(({ fields }) => (fields as { readonly kind: string }).kind);

describe('reports', () => {
  test('each fault of each proxy is told once, and counted each time', () => {
    for (const address of ['10.0.0.1', '10.0.0.2', '10.0.0.1']) {
      for (const kind of ['cache', 'tls_offload'] as const) {
        faults.report(address, kind, { message: kind });
      }
    }
    expect(logger.lines.map(({ fields }) => fields)).toEqual([
      { proxy: '10.0.0.1', kind: 'cache' },
      { proxy: '10.0.0.1', kind: 'tls_offload' },
      { proxy: '10.0.0.2', kind: 'cache' },
      { proxy: '10.0.0.2', kind: 'tls_offload' },
    ]);
    expect(metrics.proxyFaults.counts.get('cache')).toBe(3);
  });

  test('of very many addresses the oldest are forgotten first', () => {
    const warn = (address: number): void =>
      faults.report(`10.0.${address}`, 'cache', { message: 'x' });
    for (let address = 0; address <= 256; address += 1) warn(address);
    warn(256);
    warn(1);
    expect(logger.lines).toHaveLength(257);
    warn(0);
    expect(logger.lines).toHaveLength(258);
  });
});

function requestWith(headers: IncomingHttpHeaders): IncomingMessage {
  return { headers, socket: { remoteAddress: '10.0.0.1' } } as unknown as IncomingMessage;
}

describe('requests', () => {
  test.each<readonly [string | undefined, IncomingHttpHeaders]>([
    ['tls_offload', { origin: 'https://app.example', 'x-forwarded-proto': 'http' }],
    ['tls_offload', { origin: 'https://app.example' }],
    [undefined, { origin: 'https://app.example', 'x-forwarded-proto': 'https' }],
    [undefined, { origin: 'https://app.example', forwarded: 'for=1.2.3.4;proto=https' }],
    [undefined, { origin: 'https://localhost:8443' }],
    [undefined, { origin: 'http://app.example', 'x-forwarded-proto': 'http' }],
    ['cache', { 'if-none-match': '"x"' }],
    ['cache', { range: 'bytes=0-1048575' }],
    [undefined, {}],
  ])('%s: %o', (kind, headers) => {
    faults.inspect(requestWith(headers));
    expect(kinds()).toEqual(kind === undefined ? [] : [kind]);
  });
});

interface Cut {
  readonly ageMs: number;
  readonly silentMs: number;
  readonly transport?: 'websocket' | 'sse' | 'uni_sse';
  readonly frames?: number;
  readonly headers?: IncomingHttpHeaders;
}

/** Connections that end one after the other, `everyMs`. */
function cut(cuts: readonly Cut[], everyMs = 1_000): void {
  for (const { ageMs, silentMs, transport = 'websocket', frames = 3, headers = {} } of cuts) {
    clock.advance(everyMs);
    faults.cut({
      state: 'connected',
      openedAt: clock.monotonic() - ageMs,
      framesReceived: frames,
      transport: {
        needsSessionId: transport !== 'websocket',
        silentMs,
        info: {
          name: transport,
          unidirectional: transport === 'uni_sse',
          remoteAddress: '10.0.0.1',
          headers,
        },
      },
    } as unknown as Session);
  }
}

const five = <T>(one: (index: number) => T): readonly T[] =>
  Array.from({ length: 5 }, (_, index) => one(index));

describe('connections that are cut', () => {
  test('after equal silences: an idle timeout, with what to set', () => {
    cut(five((index) => ({ ageMs: 7_000 * (index + 1), silentMs: 5_000 + 20 * index })));
    expect(kinds()).toEqual(['idle_timeout']);
    expect(logger.lines[0]?.message).toMatch(
      /silent for 5(?:\.\d)? s, and the server pings every 25 s.*nginx: proxy_read_timeout.*HAProxy: timeout tunnel.*ping_interval to 2s/,
    );
    expect(logger.lines[0]?.fields).toMatchObject({ transport: 'websocket', agreeing: 5, seen: 5 });
  });

  test('after equal silences, one more that left by itself among them', () => {
    const timedOut = five((index) => ({ ageMs: 9_000 * (index + 1), silentMs: 5_000 }));
    cut([{ ageMs: 1_234_000, silentMs: 17_000 }, ...timedOut]);
    expect(kinds()).toEqual(['idle_timeout']);
  });

  test('the option is that of the proxy that shows', () => {
    const headers = { 'x-forwarded-server': 'www.example' };
    cut(five((index) => ({ ageMs: 7_000 * (index + 1), silentMs: 3_000, headers })));
    expect(logger.lines[0]?.message).toContain('Apache: timeout= of ProxyPass');
    expect(logger.lines[0]?.message).not.toContain('nginx');
  });

  test('at equal ages, whatever passed: a limit of their life', () => {
    cut(five((index) => ({ ageMs: 30_000 + 10 * index, silentMs: 3_000 * index })));
    expect(kinds()).toEqual(['lifetime_limit']);
    expect(logger.lines[0]?.message).toContain('were 30 s old');
  });

  test.each<readonly [string, readonly Cut[], number]>([
    [
      'at random',
      five((index) => ({ ageMs: 10_000 * index ** 2, silentMs: 4_900 * index })),
      1_000,
    ],
    ['all at once, as when a proxy restarts', five(() => ({ ageMs: 9_000, silentMs: 5_000 })), 1],
    [
      'after longer than pings are apart',
      five((index) => ({ ageMs: 90_000 * (index + 1), silentMs: 26_000 })),
      1_000,
    ],
    ['at once', five(() => ({ ageMs: 100, silentMs: 100 })), 1_000],
  ])('%s: nothing to say', (...[, cuts, everyMs]) => {
    cut(cuts, everyMs);
    expect(kinds()).toEqual([]);
  });
});

describe('streams that are cut', () => {
  const unheard = { ageMs: 5_000, silentMs: 5_000, transport: 'sse', frames: 1 } as const;

  test('that no client ever answered: they are held back', () => {
    cut(five(() => unheard));
    expect(kinds()).toEqual(['buffered_stream']);
    expect(logger.lines[0]?.message).toContain('proxy_buffering off');
  });

  test('one that was answered in between shows that they pass', () => {
    const answered = { ...unheard, frames: 2, ageMs: 60_000, silentMs: 9_000 };
    cut([...five(() => unheard).slice(1), answered, ...five(() => unheard).slice(1)]);
    expect(kinds()).toEqual([]);
  });

  test('one-way streams cannot be answered, and can time out', () => {
    cut(five((index) => ({ ...unheard, ageMs: 8_000 * (index + 1), transport: 'uni_sse' })));
    expect(kinds()).toEqual(['idle_timeout']);
  });
});
