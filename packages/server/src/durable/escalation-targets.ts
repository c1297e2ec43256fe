import {
  createEmailTarget,
  createWebhookTarget,
  type EmailTarget,
  type EscalationTarget,
} from '@holdfast/inbox';
import type { Config } from '../config/index.ts';
import { revealHeaders } from '../config/hooks-options.ts';

/** Where notifications that nobody saw are carried to. */
export interface EscalationTargets {
  readonly webhook?: EscalationTarget;
  readonly email?: EmailTarget;
}

/** @throws TypeError when a target's address or secret cannot work */
export function createEscalationTargets({ inbox }: Config): EscalationTargets {
  const { webhook, email } = inbox.escalation;
  return {
    ...(webhook.endpoint !== '' && {
      webhook: createWebhookTarget({ url: webhook.endpoint, secret: webhook.secret.reveal() }),
    }),
    ...(!email.url.isEmpty && {
      email: createEmailTarget({
        url: email.url.reveal(),
        from: email.from,
        addressOf: createAddressBook({
          to: email.to,
          addressEndpoint: email.address_endpoint,
          headers: revealHeaders(email.http.static_headers),
        }),
        ...(email.link_base !== '' && { linkBase: email.link_base }),
      }),
    }),
  };
}

const addressTimeoutMs = 10_000;
const maxAnswerBytes = 65_536;

export interface AddressBookOptions {
  /** The address, when no backend says it; `{user}` is replaced by the user id. */
  readonly to: string;
  /** Backend that says it. Empty: none. */
  readonly addressEndpoint: string;
  readonly headers: Readonly<Record<string, string>>;
}

/** Finds the e-mail address of a user. Rejects when the backend cannot say it right now. */
export function createAddressBook({
  to,
  addressEndpoint,
  headers,
}: AddressBookOptions): (user: string) => string | Promise<string | undefined> {
  if (addressEndpoint === '') return (user) => to.replaceAll('{user}', () => user);
  return async (user) => {
    const response = await fetch(addressEndpoint, {
      method: 'POST',
      redirect: 'manual',
      signal: AbortSignal.timeout(addressTimeoutMs),
      headers: { 'content-type': 'application/json', ...headers },
      body: JSON.stringify({ user }),
    });
    if (!response.ok) {
      await response.body?.cancel();
      throw new Error(`inbox.escalation.email.address_endpoint answered ${response.status}`);
    }
    const answer = parse(await readText(response));
    const address = (answer as { readonly email?: unknown } | null)?.email;
    return typeof address === 'string' && address !== '' ? address : undefined;
  };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new Error('the answer of inbox.escalation.email.address_endpoint is no JSON');
  }
}

async function readText(response: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of response.body ?? []) {
    bytes += chunk.byteLength;
    if (bytes > maxAnswerBytes) {
      throw new Error('the answer of inbox.escalation.email.address_endpoint is too long');
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}
