import type { IncomingMessage } from 'node:http';
import { expect, test } from 'vitest';
import { RecordedLogger } from '../testing/recorded-logger.ts';
import { ProxyNotices } from './proxy-notices.ts';

function requestFrom(remoteAddress: string): IncomingMessage {
  return { socket: { remoteAddress } } as IncomingMessage;
}

test('each fault of each proxy is told once', () => {
  const logger = new RecordedLogger();
  const notices = new ProxyNotices(logger);
  for (const address of ['10.0.0.1', '10.0.0.2', '10.0.0.1']) {
    for (const kind of ['a', 'b']) notices.warn(requestFrom(address), kind, { message: kind });
  }
  expect(logger.lines.map(({ fields }) => fields)).toEqual([
    { proxy: '10.0.0.1', kind: 'a' },
    { proxy: '10.0.0.1', kind: 'b' },
    { proxy: '10.0.0.2', kind: 'a' },
    { proxy: '10.0.0.2', kind: 'b' },
  ]);
});

test('of very many addresses the oldest are forgotten first', () => {
  const logger = new RecordedLogger();
  const notices = new ProxyNotices(logger);
  const warn = (address: number): void =>
    notices.warn(requestFrom(`10.0.${address}`), 'a', { message: 'x' });
  for (let address = 0; address <= 256; address += 1) warn(address);
  warn(256);
  warn(1);
  expect(logger.lines).toHaveLength(257);
  warn(0);
  expect(logger.lines).toHaveLength(258);
});
