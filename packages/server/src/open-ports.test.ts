import { expect, onTestFinished, test } from 'vitest';
import { HttpFront } from './http/http-front.ts';
import { closePorts, openPorts } from './open-ports.ts';
import { sendRaw, statusOf } from './testing/raw-http.ts';
import { testConfig } from './testing/test-config.ts';

const handshake =
  'GET /connection/websocket HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\n' +
  'Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n' +
  'Sec-WebSocket-Key: aG9sZGZhc3QgaXMga2VscA==\r\n\r\n';

test('who comes before there is anything behind the port is told to come again', async () => {
  const { config } = testConfig({ http_server: { address: '127.0.0.1', port: 0 } });
  const silent = { debug() {}, info() {}, warn() {}, error() {} };
  const ports = await openPorts(config, new HttpFront(silent));
  onTestFinished(() => closePorts(ports));
  const [url = ''] = ports.flatMap(({ urls }) => urls);

  const request = 'GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n';
  for (const bytes of [request, handshake]) {
    const answer = await sendRaw(url, bytes);
    expect(statusOf(answer)).toBe(503);
    expect(answer).toContain('Retry-After: 1');
    expect(answer).toContain('{"error":{"code":"starting","message":"the server is starting"}}');
  }
});
