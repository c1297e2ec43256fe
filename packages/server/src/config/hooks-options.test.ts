import { describe, expect, test } from 'vitest';
import { testConfig } from '../testing/test-config.ts';
import { toHooksOptions } from './hooks-options.ts';
import { toHubOptions } from './hub-options.ts';

describe("the hooks' options", () => {
  test('name no endpoint when nothing is configured', () => {
    const options = toHooksOptions(testConfig({}).config);
    expect(Object.keys(options).toSorted()).toEqual([
      'namespaces',
      'privatePrefix',
      'proxies',
      'rpcNamespaceBoundary',
      'rpcNamespaces',
      'rpcWithoutNamespace',
      'withoutNamespace',
    ]);
    expect(options.withoutNamespace?.subscribeProxyEnabled).toBe(false);
  });

  test('carry everything that an endpoint can be told', () => {
    const options = toHooksOptions(
      testConfig({
        client: {
          proxy: {
            connect: {
              enabled: true,
              endpoint: 'http://127.0.0.1:1/connect',
              timeout: '1.5s',
              http_headers: ['Cookie'],
              emulated_headers: ['Authorization'],
              binary_encoding: true,
              include_connection_meta: true,
              http: {
                static_headers: { 'X-Key': 'secret' },
                status_to_code_transforms: [
                  { status_code: 403, to_error: { code: 403, message: 'no', temporary: true } },
                  { status_code: 404, to_disconnect: { code: 4904, reason: 'gone' } },
                ],
              },
            },
            refresh: { enabled: false, endpoint: 'http://127.0.0.1:1/refresh' },
          },
        },
      }).config,
    );
    expect(options.connect).toEqual({
      endpoint: 'http://127.0.0.1:1/connect',
      timeoutMs: 1_500,
      httpHeaders: ['Cookie'],
      emulatedHeaders: ['Authorization'],
      binaryEncoding: true,
      includeConnectionMeta: true,
      staticHeaders: { 'X-Key': 'secret' },
      statusToCodeTransforms: [
        { statusCode: 403, toError: { code: 403, message: 'no', temporary: true } },
        { statusCode: 404, toDisconnect: { code: 4_904, reason: 'gone' } },
      ],
    });
    expect(options.refresh).toBeUndefined();
  });

  test('say which namespace asks whom', () => {
    const options = toHooksOptions(
      testConfig({
        channel: {
          proxy: { subscribe: { endpoint: 'http://127.0.0.1:1/' } },
          without_namespace: { subscribe_proxy_enabled: true },
          namespaces: [
            { name: 'chat', publish_proxy_enabled: true, publish_proxy_name: 'other' },
            { name: 'feed', sub_refresh_proxy_enabled: true, sub_refresh_proxy_name: 'other' },
          ],
        },
        rpc: {
          namespaces: [{ name: 'billing', proxy_enabled: true, proxy_name: 'other' }],
        },
        proxies: [{ name: 'other', endpoint: 'http://127.0.0.1:2/' }],
      }).config,
    );
    expect(options.subscribe?.endpoint).toBe('http://127.0.0.1:1/');
    expect(options.proxies).toMatchObject([{ name: 'other', endpoint: 'http://127.0.0.1:2/' }]);
    expect(options.withoutNamespace).toMatchObject({
      subscribeProxyEnabled: true,
      subscribeProxyName: 'default',
    });
    expect(options.namespaces).toMatchObject([
      { name: 'chat', publishProxyEnabled: true, publishProxyName: 'other' },
      { name: 'feed', subRefreshProxyEnabled: true, subRefreshProxyName: 'other' },
    ]);
    expect(options.rpcNamespaces).toMatchObject([
      { name: 'billing', proxyEnabled: true, proxyName: 'other' },
    ]);
  });

  test('a hook for refreshing makes the server refresh', () => {
    const { client, channel } = toHubOptions(
      testConfig({
        client: { proxy: { refresh: { enabled: true, endpoint: 'http://127.0.0.1:1/' } } },
        channel: {
          proxy: { sub_refresh: { endpoint: 'http://127.0.0.1:1/' } },
          namespaces: [{ name: 'chat', sub_refresh_proxy_enabled: true }],
        },
      }).config,
    );
    expect(client.serverSideRefresh).toBe(true);
    expect(channel.namespaces[0]?.serverSideSubRefresh).toBe(true);
    expect(channel.withoutNamespace.serverSideSubRefresh).toBe(false);
  });
});
