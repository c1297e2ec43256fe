import { createHmac } from 'node:crypto';

const base64Prefix = 'whsec_';

/**
 * Signs requests as the Standard Webhooks specification says (https://www.standardwebhooks.com): HMAC
 * with SHA-256 over `<id>.<timestamp>.<body>`. The timestamp is part of it, so that a recorded request
 * cannot be sent again later.
 */
export class WebhookSigner {
  readonly #key: Buffer;

  /** @param secret - text, or base64 behind the prefix `whsec_`. */
  constructor(secret: string) {
    this.#key = secret.startsWith(base64Prefix)
      ? Buffer.from(secret.slice(base64Prefix.length), 'base64')
      : Buffer.from(secret);
  }

  /** The headers of one request. @param timestamp - Unix seconds. */
  headers(id: string, timestamp: number, body: Uint8Array): Readonly<Record<string, string>> {
    const signature = createHmac('sha256', this.#key)
      .update(`${id}.${timestamp}.`)
      .update(body)
      .digest('base64');
    return {
      'webhook-id': id,
      'webhook-timestamp': String(timestamp),
      'webhook-signature': `v1,${signature}`,
    };
  }
}
