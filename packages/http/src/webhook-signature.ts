import { createHmac, timingSafeEqual } from 'node:crypto';

const base64Prefix = 'whsec_';

/** The key that a secret stands for: its text, or the base64 behind the prefix `whsec_`. */
export function webhookKey(secret: string): Buffer {
  return secret.startsWith(base64Prefix)
    ? Buffer.from(secret.slice(base64Prefix.length), 'base64')
    : Buffer.from(secret);
}

/**
 * Signs requests as the Standard Webhooks specification says (https://www.standardwebhooks.com): HMAC
 * with SHA-256 over `<id>.<timestamp>.<body>`. The timestamp is part of it, so that a recorded request
 * cannot be sent again later.
 */
export class WebhookSigner {
  readonly #key: Buffer;

  /** @param secret - text, or base64 behind the prefix `whsec_`. */
  constructor(secret: string) {
    this.#key = webhookKey(secret);
  }

  /** The headers of one request. @param timestamp - Unix seconds. */
  headers(
    id: string,
    timestamp: number,
    body: string | Uint8Array,
  ): Readonly<Record<string, string>> {
    return {
      'webhook-id': id,
      'webhook-timestamp': String(timestamp),
      'webhook-signature': this.#sign(`${id}.${timestamp}.`, body),
    };
  }

  /**
   * Whether one of the signatures in a header is right, in constant time.
   * @param signed - `<id>.<timestamp>.<body>` as they came
   */
  verifies(signed: string, header: string): boolean {
    const expected = Buffer.from(this.#sign('', signed));
    return header.split(' ').some((signature) => {
      const given = Buffer.from(signature);
      return given.length === expected.length && timingSafeEqual(given, expected);
    });
  }

  #sign(start: string, rest: string | Uint8Array): string {
    return `v1,${createHmac('sha256', this.#key).update(start).update(rest).digest('base64')}`;
  }
}
