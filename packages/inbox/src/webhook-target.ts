import { createHmac, timingSafeEqual } from 'node:crypto';
import type { EscalationTarget } from './escalation-target.ts';

export interface WebhookTargetOptions {
  /** `https:`, or `http:` for a receiver on the same machine. */
  readonly url: string;
  /** At least 32 bytes; shared with the receiver. */
  readonly secret: string;
  /** @defaultValue the global `fetch` */
  readonly fetch?: typeof fetch;
  /** Unix milliseconds. @defaultValue `Date.now` */
  readonly now?: () => number;
}

/** The receiver said that it will never take it. */
export class WebhookRefusal extends Error {
  override readonly name = 'WebhookRefusal';
  readonly retryable = false;
}

/**
 * Posts notifications to a URL, signed as Standard Webhooks says: `webhook-id` is the same for every
 * repetition, `webhook-timestamp` are Unix seconds, `webhook-signature` is `v1,` and the base64 of
 * HMAC-SHA256 over `id.timestamp.body`. Any 2xx status means that it was taken; 410 that it never
 * will be; redirects are not followed.
 */
export function createWebhookTarget(options: WebhookTargetOptions): EscalationTarget {
  const { secret, now = Date.now } = options;
  const url = checkUrl(options.url);
  if (Buffer.byteLength(secret) < 32) {
    throw new TypeError('the secret of a webhook must have at least 32 bytes');
  }
  const send = options.fetch ?? fetch;
  return {
    async deliver({ id, user, notification, attempt, signal }) {
      const body = JSON.stringify({ type: 'notification.unseen', user, attempt, notification });
      const timestamp = String(Math.floor(now() / 1000));
      const response = await send(url, {
        method: 'POST',
        redirect: 'manual',
        signal,
        headers: {
          'content-type': 'application/json',
          'user-agent': 'holdfast',
          'webhook-id': id,
          'webhook-timestamp': timestamp,
          'webhook-signature': signWebhook(secret, `${id}.${timestamp}.${body}`),
        },
        body,
      });
      await response.body?.cancel();
      if (response.ok) return;
      const answer = `the webhook answered ${response.status}`;
      throw response.status === 410 ? new WebhookRefusal(answer) : new Error(answer);
    },
  };
}

/** Signature of `id.timestamp.body`. */
export function signWebhook(secret: string, content: string): string {
  return `v1,${createHmac('sha256', secret).update(content).digest('base64')}`;
}

/** For receivers in Node: whether one of the signatures in the header is right, in constant time. */
export function verifyWebhook(secret: string, content: string, header: string): boolean {
  const expected = Buffer.from(signWebhook(secret, content));
  return header.split(' ').some((signature) => {
    const given = Buffer.from(signature);
    return given.length === expected.length && timingSafeEqual(given, expected);
  });
}

function checkUrl(text: string): string {
  const url = new URL(text);
  const isLocal = ['127.0.0.1', 'localhost', '[::1]'].includes(url.hostname);
  if (url.protocol !== 'https:' && !(url.protocol === 'http:' && isLocal)) {
    throw new TypeError('the URL of a webhook must begin with https://');
  }
  return url.href;
}
