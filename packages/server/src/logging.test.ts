import { describe, expect, test } from 'vitest';
import { createLogger, type LoggingOptions } from './logging.ts';

function record(options: Partial<LoggingOptions> = {}) {
  const lines: string[] = [];
  const logger = createLogger({
    level: 'info',
    isPretty: false,
    destination: { write: (line) => void lines.push(line) },
    ...options,
  });
  return { logger, lines };
}

describe('log lines', () => {
  test('are JSON, one per event, from their level on', () => {
    const { logger, lines } = record();
    logger.debug({}, 'hidden');
    logger.info({ port: 8000 }, 'the server is running');
    expect(lines).toHaveLength(1);
    expect(JSON.parse(lines[0] ?? '')).toMatchObject({
      level: 30,
      port: 8000,
      msg: 'the server is running',
    });
  });

  test('level none writes nothing', () => {
    const { logger, lines } = record({ level: 'none' });
    logger.fatal({}, 'x');
    expect(lines).toEqual([]);
  });

  test('never show what stands in a field for secrets, also deeper', () => {
    const { logger, lines } = record();
    logger.info(
      {
        token: 'swordfish',
        headers: { authorization: 'swordfish', cookie: 'swordfish', 'x-api-key': 'swordfish' },
        config: { http_api: { api_key: 'swordfish' }, admin: { password: 'swordfish' } },
      },
      'x',
    );
    expect(lines.join('')).not.toContain('swordfish');
    expect(lines.join('')).toContain('***');
  });

  const nasty = 'a\nFAKE LINE\r\u001b[2J\u0007\u009b31m\u2028b';

  test.each([false, true])('strangers cannot start a line of their own, pretty: %s', (isPretty) => {
    const { logger, lines } = record({ isPretty });
    logger.info({ channel: nasty, nested: { user: nasty }, list: [nasty] }, `message ${nasty}`);
    const text = lines.join('');
    expect(text.trimEnd().split('\n')).toHaveLength(1);
    // oxlint-disable-next-line no-control-regex -- none may be left
    expect(text.trimEnd()).not.toMatch(/[\u0000-\u001f\u007f-\u009f]/);
  });

  test('errors keep their stack, line by line, without control characters', () => {
    const { logger, lines } = record({ isPretty: true });
    logger.error({ err: new Error('bad \u001b[31m') }, 'failed');
    expect(lines.join('')).toContain('failed');
    expect(lines.join('')).toMatch(/\n\s+at /);
    expect(lines.join('')).not.toContain('\u001b');
  });
});
