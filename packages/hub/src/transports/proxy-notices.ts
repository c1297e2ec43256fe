import type { IncomingMessage } from 'node:http';
import type { Logger } from '../hub.ts';

/** Addresses and faults that are remembered; beyond that the oldest are forgotten and told again. */
const maxRemembered = 256;

interface Notice {
  readonly message: string;
  readonly [field: string]: unknown;
}

/** Tells each fault of each proxy once: a broken proxy sends the same with every attempt of a client. */
export class ProxyNotices {
  readonly #logger: Logger;
  readonly #told = new Set<string>();

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  /** Writes a warning, with the fields of the notice, unless this address had one of this kind. */
  warn(request: IncomingMessage, kind: string, notice: Notice): void {
    const proxy = request.socket.remoteAddress ?? 'unknown';
    const key = `${kind} ${proxy}`;
    if (this.#told.has(key)) return;
    const [oldest] = this.#told;
    if (this.#told.size >= maxRemembered && oldest !== undefined) this.#told.delete(oldest);
    this.#told.add(key);
    const { message, ...fields } = notice;
    this.#logger.warn({ proxy, kind, ...fields }, message);
  }
}
