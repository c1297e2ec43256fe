import { expect, onTestFinished, test, vi } from 'vitest';
import { createLogger } from './logging.ts';
import { guardProcess } from './process-guard.ts';

function guard() {
  const lines: string[] = [];
  const destination = { write: (line: string) => void lines.push(line) };
  const logger = createLogger({ level: 'info', isPretty: false, destination });
  const stop = vi.fn<() => Promise<void>>(() => Promise.resolve());
  const exit = vi.spyOn(process, 'exit').mockImplementation((() => undefined) as never);
  const others = process.listeners('uncaughtException');
  process.removeAllListeners('uncaughtException');
  const hungUp = vi.fn<() => void>();
  const remove = guardProcess({ stop, logger }, hungUp);
  onTestFinished(() => {
    remove();
    vi.restoreAllMocks();
    for (const other of others) process.on('uncaughtException', other);
  });
  return { lines, stop, exit, hungUp };
}

test('an error that nobody caught is logged, stops the server, and ends the process with 1', async () => {
  const { lines, stop, exit } = guard();
  process.emit('uncaughtException', new Error('a bug'));
  await vi.waitFor(() => expect(exit).toHaveBeenCalledWith(1));
  expect(stop).toHaveBeenCalledOnce();
  expect(lines.join('')).toContain('a bug');
});

test('SIGHUP ends nothing', () => {
  const { stop, exit, hungUp } = guard();
  process.emit('SIGHUP');
  expect(hungUp).toHaveBeenCalledOnce();
  expect(stop).not.toHaveBeenCalled();
  expect(exit).not.toHaveBeenCalled();
});
