import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Logger } from '@holdfast/hub';

/** The path of a request without its query, which may hold secrets. */
function pathOf(request: IncomingMessage): string {
  const [path = ''] = (request.url ?? '').split('?', 1);
  return path;
}

/**
 * Follows HTTP requests: gives each an id (the sender's, when it sent a sensible `X-Request-Id`),
 * writes a line when it is done, and knows when none is under way.
 */
export class RequestLog {
  readonly #logger: Logger;
  #underWay = 0;
  #whenIdle: (() => void)[] = [];

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  follow(request: IncomingMessage, response: ServerResponse): void {
    const started = performance.now();
    const given = request.headers['x-request-id'];
    const id = typeof given === 'string' && /^[\w.-]{1,64}$/.test(given) ? given : randomUUID();
    response.setHeader('X-Request-Id', id);
    this.#underWay += 1;
    response.once('close', () => {
      this.#underWay -= 1;
      if (this.#underWay === 0) for (const resolve of this.#whenIdle.splice(0)) resolve();
      const fields = {
        request: id,
        method: request.method,
        path: pathOf(request).slice(0, 255),
        status: response.statusCode,
        ms: Math.round(performance.now() - started),
        remote: request.socket.remoteAddress,
      };
      if (!response.writableFinished)
        this.#logger.info(fields, 'the client left before its answer');
      else if (response.statusCode >= 500) this.#logger.error(fields, 'request failed');
      else if (response.statusCode === 401) this.#logger.warn(fields, 'request not authorized');
      else this.#logger.debug(fields, 'request');
    });
  }

  /** Resolves when no request is under way, or after `timeoutMs`. */
  idle(timeoutMs: number): Promise<void> {
    if (this.#underWay === 0) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, timeoutMs);
      this.#whenIdle.push(() => {
        clearTimeout(timer);
        resolve();
      });
    });
  }
}
