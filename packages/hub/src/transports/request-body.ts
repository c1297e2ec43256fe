import type { IncomingMessage } from 'node:http';
import type { HttpRefusal } from './http-refusal.ts';

const bodyDeadlineMs = 10_000;

/**
 * Reads a request body. Gives up as soon as it is over the limit, declared or actual, or has not come
 * whole within ten seconds. Undefined when the client went away: nobody is left to answer.
 */
export async function readBody(
  request: IncomingMessage,
  maxBytes: number,
): Promise<Buffer | HttpRefusal | undefined> {
  const tooLarge: HttpRefusal = {
    status: 413,
    code: 'body_too_large',
    message: `the request body is longer than ${maxBytes} bytes`,
  };
  if (Number(request.headers['content-length'] ?? 0) > maxBytes) return tooLarge;
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    let size = 0;
    const finish = (outcome: Buffer | HttpRefusal | undefined): void => {
      clearTimeout(deadline);
      request.removeAllListeners('data');
      resolve(outcome);
    };
    const deadline = setTimeout(() => {
      finish({
        status: 408,
        code: 'body_timeout',
        message: 'the request body did not come in time',
      });
    }, bodyDeadlineMs);
    request.on('data', (chunk: Buffer) => {
      size += chunk.length;
      if (size > maxBytes) finish(tooLarge);
      else chunks.push(chunk);
    });
    request.on('end', () => finish(Buffer.concat(chunks)));
    request.on('error', () => finish(undefined));
    request.on('close', () => finish(undefined));
  });
}
