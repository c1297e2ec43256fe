import { webhookKey, WebhookSigner } from '@holdfast/http';
import type { EscalationTarget } from './escalation-target.ts';

/** Where notifications are posted, and how that is signed. */
export interface WebhookTargetOptions {
  /** `https:`, or `http:` for a receiver on the same machine. */
  readonly url: string;
  /**
   * Shared with the receiver: text of 32 bytes or more, or, behind the prefix `whsec_`, the base64 of a
   * key of 24 bytes or more.
   */
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
  const { now = Date.now } = options;
  const url = checkUrl(options.url);
  checkSecret(options.secret);
  const signer = new WebhookSigner(options.secret);
  const send = options.fetch ?? fetch;
  return {
    async deliver({ id, user, notification, attempt, signal }) {
      const body = JSON.stringify({ type: 'notification.unseen', user, attempt, notification });
      const request = send(url, {
        method: 'POST',
        redirect: 'manual',
        signal,
        headers: {
          'content-type': 'application/json',
          'user-agent': 'holdfast',
          ...signer.headers(id, Math.floor(now() / 1000), body),
        },
        body,
      });
      const response = await request.catch((error: unknown) => {
        throw new Error(`the webhook cannot be reached (${reasonOf(error)})`, { cause: error });
      });
      await response.body?.cancel();
      if (response.ok) return;
      const isRedirect = response.status >= 300 && response.status < 400;
      const answer = `the webhook answered ${response.status}${isRedirect ? '; redirects are not followed' : ''}`;
      throw response.status === 410 ? new WebhookRefusal(answer) : new Error(answer);
    },
  };
}

/**
 * For receivers in Node: whether one of the signatures in the header is right, in constant time.
 * @param content - `id.timestamp.body`, of the headers and the body as they came
 */
export function verifyWebhook(secret: string, content: string, header: string): boolean {
  return new WebhookSigner(secret).verifies(content, header);
}

/** `fetch` says no more than that it failed; what failed is in the cause. */
function reasonOf(error: unknown): string {
  const { cause = error } = error as { readonly cause?: unknown };
  const { code, message } = cause as { readonly code?: unknown; readonly message?: unknown };
  return typeof code === 'string' ? code : String(message);
}

/** @throws TypeError when it would not protect anything */
function checkSecret(secret: string): void {
  const [bytes, what] = secret.startsWith('whsec_')
    ? [24, 'the base64 of 24 bytes behind whsec_']
    : [32, '32 bytes'];
  if (webhookKey(secret).length >= bytes) return;
  throw new TypeError(`the secret of a webhook must have at least ${what}`);
}

function checkUrl(text: string): string {
  const url = new URL(text);
  const isLocal = ['127.0.0.1', 'localhost', '[::1]'].includes(url.hostname);
  if (url.protocol !== 'https:' && !(url.protocol === 'http:' && isLocal)) {
    throw new TypeError('the URL of a webhook must begin with https://');
  }
  if (url.username !== '' || url.password !== '') {
    throw new TypeError('the URL of a webhook cannot have a user and password in it');
  }
  return url.href;
}
