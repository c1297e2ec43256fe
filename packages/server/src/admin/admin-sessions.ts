import { SecretComparer } from '../secret-comparer.ts';
import { randomToken, TicketSigner, type Ticket } from './signed-ticket.ts';

export interface AdminSessionsOptions {
  /** Signs sessions. With the same secret they outlive a restart. */
  readonly secret: string;
  /** Signs in as well, when not empty. @defaultValue '' */
  readonly password?: string;
  /** @defaultValue 604800000 (7 days) */
  readonly sessionTtlMs?: number;
  /** @defaultValue 3600000 (one hour) */
  readonly codeTtlMs?: number;
  /** @defaultValue `Date.now` */
  readonly now?: () => number;
}

/** What came of trying to sign in. */
export type SignIn =
  | { readonly kind: 'signed_in'; readonly session: string; readonly ticket: Ticket }
  | { readonly kind: 'wrong' }
  | { readonly kind: 'too_many_attempts'; readonly retryAfterSeconds: number };

/** A page connects right after it got its ticket. */
const connectionTicketTtlMs = 60_000;
const passwordAttempts = 10;
const attemptWindowMs = 60_000;

/**
 * Who is signed in to the pages of this server. One gets in with the single-use code of the link
 * that is printed at start, or with the password; what one gets is a session that ends by itself.
 */
export class AdminSessions {
  readonly #options: Required<AdminSessionsOptions>;
  readonly #signer: TicketSigner;
  readonly #password: SecretComparer | undefined;
  /** Sessions that were signed out, until they would have expired anyway. */
  readonly #revoked = new Map<string, number>();
  #code: { readonly comparer: SecretComparer; readonly expiresAt: number } | undefined;
  #failures = 0;
  #failuresSince = 0;

  constructor(options: AdminSessionsOptions) {
    this.#options = {
      password: '',
      sessionTtlMs: 604_800_000,
      codeTtlMs: 3_600_000,
      now: Date.now,
      ...options,
    };
    this.#signer = new TicketSigner(options.secret);
    const { password } = this.#options;
    this.#password = password === '' ? undefined : new SecretComparer(password);
  }

  get hasPassword(): boolean {
    return this.#password !== undefined;
  }

  /** Makes the code of a sign-in link. It works once, and the one before it no longer does. */
  issueCode(): string {
    const code = randomToken();
    const expiresAt = this.#options.now() + this.#options.codeTtlMs;
    this.#code = { comparer: new SecretComparer(code), expiresAt };
    return code;
  }

  signInWithCode(code: string): SignIn {
    const issued = this.#code;
    if (!issued || issued.expiresAt <= this.#options.now() || !issued.comparer.matches(code)) {
      return { kind: 'wrong' };
    }
    this.#code = undefined;
    return this.#open();
  }

  /** Ten wrong passwords within a minute close this way for the rest of the minute. */
  signInWithPassword(password: string): SignIn {
    const now = this.#options.now();
    if (now - this.#failuresSince >= attemptWindowMs) {
      this.#failures = 0;
      this.#failuresSince = now;
    }
    if (this.#failures >= passwordAttempts) {
      const waitMs = this.#failuresSince + attemptWindowMs - now;
      return { kind: 'too_many_attempts', retryAfterSeconds: Math.ceil(waitMs / 1000) };
    }
    if (this.#password?.matches(password)) return this.#open();
    this.#failures += 1;
    return { kind: 'wrong' };
  }

  /** @param session - what {@link SignIn} gave, as the browser sends it back. */
  verify(session: string): Ticket | undefined {
    const ticket = this.#signer.verify('session', session, this.#options.now());
    return ticket && !this.#revoked.has(ticket.id) ? ticket : undefined;
  }

  signOut({ id, expiresAt }: Ticket): void {
    const now = this.#options.now();
    for (const [revoked, until] of this.#revoked) if (until <= now) this.#revoked.delete(revoked);
    this.#revoked.set(id, expiresAt);
  }

  /** A ticket with which the page of this session connects, within a minute. */
  connectionTicket({ id }: Ticket): string {
    const expiresAt = this.#options.now() + connectionTicketTtlMs;
    return this.#signer.sign('connection', { id, expiresAt });
  }

  /** @returns the id of the session whose page connects, or undefined for every other text. */
  verifyConnectionTicket(text: string): string | undefined {
    const ticket = this.#signer.verify('connection', text, this.#options.now());
    return ticket && !this.#revoked.has(ticket.id) ? ticket.id : undefined;
  }

  #open(): SignIn {
    const expiresAt = this.#options.now() + this.#options.sessionTtlMs;
    const ticket = { id: randomToken(), expiresAt };
    return { kind: 'signed_in', ticket, session: this.#signer.sign('session', ticket) };
  }
}
