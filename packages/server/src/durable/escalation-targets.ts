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

type EmailConfig = Config['inbox']['escalation']['email'];

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
        addressOf: addressBook(email),
        ...(email.link_base !== '' && { linkBase: email.link_base }),
      }),
    }),
  };
}

const addressTimeoutMs = 10_000;
const maxAnswerBytes = 65_536;

function addressBook(email: EmailConfig): (user: string) => string | Promise<string | undefined> {
  const { address_endpoint: endpoint, to, http } = email;
  if (endpoint === '') return (user) => to.replaceAll('{user}', () => user);
  return async (user) => {
    const response = await fetch(endpoint, {
      method: 'POST',
      redirect: 'manual',
      signal: AbortSignal.timeout(addressTimeoutMs),
      headers: { 'content-type': 'application/json', ...revealHeaders(http.static_headers) },
      body: JSON.stringify({ user }),
    });
    if (!response.ok) {
      await response.body?.cancel();
      throw new Error(`inbox.escalation.email.address_endpoint answered ${response.status}`);
    }
    const { email: address } = (await readAnswer(response)) as { readonly email?: unknown };
    return typeof address === 'string' && address !== '' ? address : undefined;
  };
}

async function readAnswer(response: Response): Promise<unknown> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of response.body ?? []) {
    bytes += chunk.byteLength;
    if (bytes > maxAnswerBytes) {
      throw new Error('the answer of inbox.escalation.email.address_endpoint is too long');
    }
    chunks.push(chunk);
  }
  return JSON.parse(Buffer.concat(chunks).toString()) ?? {};
}
