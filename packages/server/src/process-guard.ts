import type { RunningServer } from './server.ts';

/** Longest time that the process waits for its own end after an error that nobody caught. */
const crashStopMs = 2_000;

/**
 * Watches over the process of a running server: an error that nobody caught is logged and ends the
 * process with code 1, since what is in memory can no longer be trusted (clients find their way
 * back); SIGHUP, which ends a process by default, is what it is to other servers: the wish to read the
 * configuration again.
 *
 * @returns takes the guard away.
 */
export function guardProcess(
  { stop, logger }: Pick<RunningServer, 'stop' | 'logger'>,
  onHangUp: () => void,
): () => void {
  const crash = async (error: unknown): Promise<void> => {
    logger.fatal({ err: error }, 'an error that nobody caught: the process ends');
    setTimeout(() => process.exit(1), crashStopMs);
    await stop();
    process.exit(1);
  };
  const crashed = (error: unknown): void => void crash(error);
  process.on('uncaughtException', crashed);
  process.on('unhandledRejection', crashed);
  process.on('SIGHUP', onHangUp);
  return () => {
    process.off('uncaughtException', crashed);
    process.off('unhandledRejection', crashed);
    process.off('SIGHUP', onHangUp);
  };
}
