import { describe, expect, test } from 'vitest';
import { loadSections } from '../testing/load-sections.ts';
import { testConfig } from '../testing/test-config.ts';
import { toEventHookOptions } from './event-hook-options.ts';

const endpoint = 'http://127.0.0.1:1/events';

describe('event_hooks', () => {
  test('are none when nothing is configured', () => {
    expect(toEventHookOptions(testConfig({}).config)).toEqual([]);
  });

  test('have defaults that work', () => {
    const { config } = testConfig({ event_hooks: [{ name: 'backend', endpoint }] });
    expect(toEventHookOptions(config)).toEqual([
      {
        name: 'backend',
        endpoint,
        events: [],
        channels: [],
        secret: '',
        timeoutMs: 5_000,
        includeConnectionMeta: false,
        staticHeaders: {},
        batchMaxEvents: 100,
        batchMaxBytes: 65_536,
        batchMaxDelayMs: 100,
        retryMaxDelayMs: 30_000,
        journalMaxBytes: 67_108_864,
        journalSyncIntervalMs: 1_000,
      },
    ]);
  });

  test('carry everything that can be said', () => {
    const { config } = testConfig({
      event_hooks: [
        {
          name: 'backend',
          endpoint,
          events: ['connect', 'disconnect'],
          channels: ['chat:*'],
          secret: 'whsec_AQID',
          timeout: '2s',
          include_connection_meta: true,
          http: { static_headers: { 'X-Key': 'k' } },
          batch_max_events: 7,
          batch_max_size: 1_000,
          batch_max_delay: '0s',
          retry_max_delay: '1m',
          journal_max_size: 100_000,
          journal_sync_interval: '0s',
        },
      ],
    });
    expect(toEventHookOptions(config)[0]).toMatchObject({
      events: ['connect', 'disconnect'],
      channels: ['chat:*'],
      secret: 'whsec_AQID',
      timeoutMs: 2_000,
      includeConnectionMeta: true,
      staticHeaders: { 'X-Key': 'k' },
      batchMaxEvents: 7,
      batchMaxBytes: 1_000,
      batchMaxDelayMs: 0,
      retryMaxDelayMs: 60_000,
      journalMaxBytes: 100_000,
      journalSyncIntervalMs: 0,
    });
    expect(JSON.stringify(config)).not.toContain('AQID');
  });

  test.each([
    [{ name: 'x' }, 'event_hooks[0].name', 'is "x"'],
    [{ name: '..' }, 'event_hooks[0].name', 'is ".."'],
    [{ endpoint: '' }, 'event_hooks[0].endpoint', 'is missing'],
    [{ endpoint: 'grpc://127.0.0.1' }, 'event_hooks[0].endpoint', 'gRPC'],
    [{ timeout: '0s' }, 'event_hooks[0].timeout', 'is 0s'],
    [{ secret: 'whsec_?' }, 'event_hooks[0].secret', 'no base64 follows'],
    [{ events: ['join'] }, 'event_hooks[0].events', 'is ["join"]'],
    [{ journal_max_size: 10 }, 'event_hooks[0].journal_max_size', 'is 10'],
  ])('are refused when they cannot work: %j', (wrong, key, problem) => {
    const loaded = loadSections({ event_hooks: [{ name: 'backend', endpoint, ...wrong }] });
    const errors = 'errors' in loaded ? loaded.errors : [];
    const keys = errors.map((error) => error.key.replace(/\[(?!0\])[^\]]*\]/, '[0]'));
    expect(keys).toContain(key);
    expect(errors.map((error) => error.problem).join()).toContain(problem);
  });
});
