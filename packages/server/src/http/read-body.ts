import type { IncomingMessage } from 'node:http';
import type { HttpBindings } from '@hono/node-server';
import type { Context } from 'hono';

/** Why a body was not read. */
export type BodyRefusal = 'too_large' | 'encoded' | 'aborted';

/**
 * Reads a request body of at most `maxBytes`. A longer one is refused as soon as that is known, by
 * its declared length before anything is read, and a compressed one always: what it would grow to is
 * the sender's secret.
 */
export async function readBody(context: Context, maxBytes: number): Promise<Buffer | BodyRefusal> {
  // The request as node:http has it: its stream costs a third of what the web's costs.
  const { incoming } = context.env as { readonly incoming: HttpBindings['incoming'] };
  const { headers } = incoming;
  if ((headers['content-encoding'] ?? 'identity').toLowerCase() !== 'identity') return 'encoded';
  if (Number(headers['content-length'] ?? 0) > maxBytes) return 'too_large';
  return collect(incoming, maxBytes);
}

function collect(incoming: IncomingMessage, maxBytes: number): Promise<Buffer | BodyRefusal> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    let total = 0;
    const finish = (outcome: Buffer | BodyRefusal): void => {
      incoming.off('data', take).off('end', end).off('close', abort);
      resolve(outcome);
    };
    const take = (chunk: Buffer): void => {
      total += chunk.length;
      if (total <= maxBytes) {
        chunks.push(chunk);
      } else {
        incoming.pause();
        finish('too_large');
      }
    };
    const end = (): void => {
      finish(chunks.length === 1 && chunks[0] ? chunks[0] : Buffer.concat(chunks, total));
    };
    const abort = (): void => finish('aborted');
    incoming.on('data', take).once('end', end).once('close', abort);
  });
}
