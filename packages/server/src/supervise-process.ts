import { rmSync, writeFileSync } from 'node:fs';
import type { RunningServer } from './server.ts';

export interface SuperviseOptions {
  /** File that the process id stands in while the server runs; empty for none. @defaultValue '' */
  readonly pidFile?: string;
}

/** Longest time that the process waits for its own end after an error that nobody caught. */
const crashStopMs = 2_000;

/**
 * Ties the life of this process to a server's. SIGTERM and SIGINT stop it in order; a second one ends
 * the process at once. SIGHUP changes nothing. After an error that nobody caught the process ends
 * with code 1: what is in memory can no longer be trusted, and clients find their way back.
 *
 * @returns resolves with the exit code when the server has stopped.
 */
export async function superviseProcess(
  { stop, logger }: Pick<RunningServer, 'stop' | 'logger'>,
  { pidFile = '' }: SuperviseOptions = {},
): Promise<number> {
  if (pidFile !== '') writeFileSync(pidFile, `${process.pid}\n`);
  const { promise: ended, resolve: end } = Promise.withResolvers<number>();
  let isStopping = false;

  const stopInOrder = (signal: NodeJS.Signals): void => {
    if (isStopping) {
      logger.warn({ signal }, 'told to stop a second time: ending at once');
      end(1);
      return;
    }
    isStopping = true;
    logger.info({ signal }, 'stopping: clients are told to come back, here or at another node');
    void stop().then(() => end(0));
  };
  const crash = async (error: unknown): Promise<void> => {
    logger.fatal({ err: error }, 'an error that nobody caught: the process ends');
    isStopping = true;
    setTimeout(end, crashStopMs, 1).unref();
    await stop();
    end(1);
  };
  const crashed = (error: unknown): void => void crash(error);
  const ignoreHangup = (): void => {
    logger.warn({ signal: 'SIGHUP' }, 'the configuration is not read again: restart to change it');
  };

  process.on('SIGTERM', stopInOrder);
  process.on('SIGINT', stopInOrder);
  process.on('SIGHUP', ignoreHangup);
  process.on('uncaughtException', crashed);
  process.on('unhandledRejection', crashed);
  try {
    return await ended;
  } finally {
    process.off('SIGTERM', stopInOrder);
    process.off('SIGINT', stopInOrder);
    process.off('SIGHUP', ignoreHangup);
    process.off('uncaughtException', crashed);
    process.off('unhandledRejection', crashed);
    if (pidFile !== '') rmSync(pidFile, { force: true });
  }
}
