import {
  defaultChannelOptions,
  defaultAdmissionOptions,
  defaultChannelsOptions,
  defaultClientOptions,
  defaultHttpTransportsOptions,
  defaultWebSocketOptions,
} from '@holdfast/hub';
import { describe, expect, test } from 'vitest';
import { testConfig } from '../testing/test-config.ts';
import { toHubOptions } from './hub-options.ts';

describe("the hub's options", () => {
  test("are the hub's own defaults when nothing is configured", () => {
    expect(toHubOptions(testConfig({}).config)).toEqual({
      client: defaultClientOptions,
      admission: defaultAdmissionOptions,
      channel: { ...defaultChannelsOptions, withoutNamespace: defaultChannelOptions },
      websocket: defaultWebSocketOptions,
      http: defaultHttpTransportsOptions,
    });
  });

  test('have durations in milliseconds and camel-case names', () => {
    const { client, channel, websocket } = toHubOptions(
      testConfig({
        client: {
          ping_interval: '30s',
          pong_timeout: '1.5s',
          queue_max_size: 5_000,
          allowed_origins: ['https://a.com'],
          presence_update_interval: '2m',
          subscribe_to_user_personal_channel: { enabled: true, personal_channel_namespace: 'me' },
        },
        channel: {
          publication_data_format: 'json',
          namespaces: [
            { name: 'me', history_size: 3, history_ttl: '1m', force_recovery_mode: 'cache' },
            { name: 'raw', publication_data_format: 'binary', channel_regex: '(?P<id>[0-9]+)' },
          ],
        },
        websocket: { write_timeout: '2s', message_size_limit: 100 },
      }).config,
    );
    expect(client).toMatchObject({
      pingIntervalMs: 30_000,
      pongTimeoutMs: 1_500,
      queueMaxSizeBytes: 5_000,
      allowedOrigins: ['https://a.com'],
      presenceTtlMs: 240_000,
      subscribeToUserPersonalChannel: { enabled: true, personalChannelNamespace: 'me' },
    });
    expect(channel.namespaces).toMatchObject([
      {
        name: 'me',
        historySize: 3,
        historyTtlMs: 60_000,
        forceRecoveryMode: 'cache',
        publicationDataFormat: 'json',
      },
      { name: 'raw', publicationDataFormat: 'binary', channelRegex: '(?<id>[0-9]+)' },
    ]);
    expect(websocket).toMatchObject({ writeTimeoutMs: 2_000, messageSizeLimit: 100 });
  });

  test('hold nothing of other sections, secrets least of all', () => {
    const options = toHubOptions(
      testConfig({ client: { token: { hmac_secret_key: 'x' } }, http_api: { key: 'y' } }).config,
    );
    expect(Object.keys(options.client).toSorted()).toEqual(
      Object.keys(defaultClientOptions).toSorted(),
    );
  });

  test('tell each HTTP transport where it is served', () => {
    const { http } = toHubOptions(
      testConfig({
        http_stream: { enabled: false },
        uni_sse: { enabled: true, handler_prefix: '/events', max_request_body_size: 10 },
        uni_websocket: { enabled: true },
      }).config,
    );
    expect(http).toEqual({
      ...defaultHttpTransportsOptions,
      httpStream: { ...defaultHttpTransportsOptions.httpStream, enabled: false },
      uniSse: { enabled: true, handlerPrefix: '/events', maxRequestBodySize: 10 },
      uniWebsocket: { enabled: true, handlerPrefix: '/connection/uni_websocket' },
    });
  });

  test('pings that are switched off are 0', () => {
    const { client } = toHubOptions(testConfig({ client: { ping_interval: '-1' } }).config);
    expect(client.pingIntervalMs).toBe(0);
  });
});
