import type { Notification } from '@holdfast/protocol/inbox';
import { createTransport } from 'nodemailer';
import type { EscalationTarget } from './escalation-target.ts';

/** The mail server, and whose addresses it is given. */
export interface EmailTargetOptions {
  /** `smtps://user:password@host:465`, or `smtp://…` which changes to TLS when the server offers it. */
  readonly url: string;
  /** `Shop <no-reply@example.com>`. */
  readonly from: string;
  /** Where a user's mail goes; undefined when there is no address. */
  readonly addressOf: (user: string) => string | undefined | Promise<string | undefined>;
  /** Makes absolute what a notification links to within the application: `https://shop.example`. */
  readonly linkBase?: string;
}

/** An {@link EscalationTarget} that keeps connections. */
export interface EmailTarget extends EscalationTarget {
  /** Ends the connections to the mail server. */
  close(): void;
}

/** The mail server, or the address book, will never take it. */
export class EmailRefusal extends Error {
  override readonly name = 'EmailRefusal';
  readonly retryable = false;
}

const connectionTimeoutMs = 10_000;
const maxConnections = 2;

/**
 * Sends notifications as plain text over SMTP. A message has the same `Message-ID` at every
 * repetition. An answer of the class 5xx is final, everything else is tried again.
 */
export function createEmailTarget(options: EmailTargetOptions): EmailTarget {
  const transport = createTransport({
    url: options.url,
    pool: true,
    maxConnections,
    connectionTimeout: connectionTimeoutMs,
    greetingTimeout: connectionTimeoutMs,
    socketTimeout: connectionTimeoutMs,
    // What a notification says is text, never a file or an address to fetch.
    disableFileAccess: true,
    disableUrlAccess: true,
  });
  const domain = /@([^\s>]+)/.exec(options.from)?.[1] ?? 'localhost';
  return {
    async deliver({ id, user, notification }) {
      const address = await options.addressOf(user);
      if (address === undefined) throw new EmailRefusal('the user has no e-mail address');
      try {
        await transport.sendMail({
          from: options.from,
          to: { name: '', address },
          subject: notification.title.replaceAll(/\s+/g, ' '),
          text: textOf(notification, options.linkBase),
          messageId: `<${id}@${domain}>`,
          headers: { 'Auto-Submitted': 'auto-generated' },
        });
      } catch (error) {
        throw withoutCredentials(error);
      }
    },
    close: () => transport.close(),
  };
}

function textOf({ body, link }: Notification, linkBase: string | undefined): string {
  const parts = [body];
  if (link !== null) {
    const isPath = link.startsWith('/');
    if (!isPath) parts.push(link);
    else if (linkBase !== undefined) parts.push(new URL(link, linkBase).href);
  }
  return parts.filter((part) => part !== '').join('\n\n');
}

/** The mail server's answer, and whether it is final; the original error can repeat the settings. */
function withoutCredentials(error: unknown): Error {
  const { responseCode, code, response } = error as {
    readonly responseCode?: unknown;
    readonly code?: unknown;
    readonly response?: unknown;
  };
  if (typeof responseCode === 'number') {
    const answer = `the mail server answered ${typeof response === 'string' ? response : responseCode}`;
    // A refused login is a setting that somebody can mend.
    return responseCode >= 500 && code !== 'EAUTH' ? new EmailRefusal(answer) : new Error(answer);
  }
  return new Error(
    `the mail server cannot be reached (${typeof code === 'string' ? code : 'unknown'})`,
  );
}
