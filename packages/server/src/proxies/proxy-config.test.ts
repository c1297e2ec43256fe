import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { parse, parseAllDocuments } from 'yaml';
import { testConfig } from '../testing/test-config.ts';
import { deployFiles } from './deploy-files.ts';
import { proxyConfig, proxyNames } from './proxy-config.ts';
import { proxySettings } from './proxy-settings.ts';

const deploy = new URL('../../../../deploy/', import.meta.url);
const tested = new Set(['nginx.conf', 'Caddyfile', 'haproxy.cfg', 'apache.conf']);

describe('configurations of proxies', () => {
  test('in deploy/ are those of the defaults (npm run docs)', () => {
    const files = deployFiles(proxySettings(testConfig({ store: {} }).config));
    for (const [name, text] of files) {
      expect(readFileSync(new URL(name, deploy), 'utf8')).toBe(text);
    }
  });

  test('say in their first line when the tests do not run them', () => {
    for (const name of readdirSync(deploy)) {
      const [first] = readFileSync(new URL(name, deploy), 'utf8').split('\n', 1);
      expect([name, first?.startsWith('# untested')]).toEqual([name, !tested.has(name)]);
    }
  });

  test.each(proxyNames)('%s: every endpoint for clients, and no other', (proxy) => {
    const settings = proxySettings(
      testConfig({
        http_server: { port: 8123 },
        websocket: { handler_prefix: '/live.ws' },
        sse: { enabled: false },
        uni_sse: { enabled: true, handler_prefix: '/events' },
      }).config,
      { publicHost: 'live.example.org' },
    );
    const text = proxyConfig(proxy, settings).replaceAll('\\', '');
    for (const path of ['/live.ws', '/events', '/connection/http_stream', '/emulation']) {
      expect(text).toContain(path);
    }
    for (const path of ['/api', '/metrics', '/connection/sse', '/admin']) {
      expect(text).not.toContain(`${path} `);
      expect(text).not.toContain(`${path}"`);
    }
    expect(text).toContain('8123');
    // HAProxy takes every name: it serves nothing else on its port.
    expect(text.includes('live.example.org')).toBe(proxy !== 'haproxy');
  });

  test.each(proxyNames)('%s: what users call over plain HTTP, and all below it', (proxy) => {
    const settings = proxySettings(
      testConfig({
        store: {},
        inbox: { handler_prefix: '/notes', faces: { tradingagents: true } },
        tasks: { handler_prefix: '/jobs' },
      }).config,
    );
    expect(settings.trees).toEqual(['/notes/me', '/jobs/me', '/api/notifications']);
    expect(settings.paths).toContain('/api/ws/notifications');
    const text = proxyConfig(proxy, settings).replaceAll('\\', '');
    for (const tree of settings.trees) expect(text).toContain(tree);
    const without = proxySettings(testConfig({ store: {}, inbox: { enabled: false } }).config);
    expect(proxyConfig(proxy, without)).not.toContain('/inbox');
  });

  test('wait longer than pings come, and long where there are none', () => {
    const idle = (interval: string): number =>
      proxySettings(testConfig({ client: { ping_interval: interval, pong_timeout: '0' } }).config)
        .idleSeconds;
    expect(idle('25s')).toBe(100);
    expect(idle('5s')).toBe(60);
    expect(idle('0')).toBe(3_600);
  });

  test('that are YAML can be parsed', () => {
    const settings = proxySettings(testConfig({}).config);
    expect(parse(proxyConfig('traefik', settings))).toHaveProperty('http.routers.holdfast.rule');
    expect(parse(proxyConfig('envoy', settings))).toHaveProperty('static_resources.clusters');
    const kinds = parseAllDocuments(proxyConfig('k8s', settings)).map((one) => one.get('kind'));
    expect(kinds).toEqual(['Deployment', 'Service', 'HTTPRoute']);
  });
});
