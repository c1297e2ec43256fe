import type { Centrifuge } from 'centrifuge';
import type { Environment } from './environment.ts';

/** A stock server answers a question about it with an error, which is an answer as good as any. */
const channel = 'holdfast-round-trip:none';

/** Asks the server something; whether an answer came within `timeoutMs`. */
export async function isAlive(
  engine: Centrifuge,
  environment: Environment,
  timeoutMs: number,
): Promise<boolean> {
  const { promise: isOutOfTime, resolve } = Promise.withResolvers<false>();
  const cancel = environment.after(timeoutMs, () => resolve(false));
  try {
    return await Promise.race([isAnswered(engine), isOutOfTime]);
  } finally {
    cancel();
  }
}

async function isAnswered(engine: Centrifuge): Promise<boolean> {
  try {
    await engine.presenceStats(channel);
    return true;
  } catch (error) {
    return (error as { readonly code: number }).code >= 100;
  }
}
