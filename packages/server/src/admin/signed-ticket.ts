import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';

/** What a valid ticket says. */
export interface Ticket {
  readonly id: string;
  /** Unix milliseconds. */
  readonly expiresAt: number;
}

/**
 * Tickets that prove themselves: an id and an expiry, signed for one purpose. They are valid after a
 * restart too, and on every node that has the secret.
 */
export class TicketSigner {
  readonly #secret: string;

  constructor(secret: string) {
    this.#secret = secret;
  }

  /** @param purpose - a ticket for one purpose is worthless for every other. */
  sign(purpose: string, { id, expiresAt }: Ticket): string {
    const body = `${id}.${expiresAt}`;
    return `${body}.${this.#mac(purpose, body).toString('base64url')}`;
  }

  /** @returns undefined for whatever this signer did not sign for this purpose, or that expired. */
  verify(purpose: string, text: string, now: number): Ticket | undefined {
    const [, id, expiry, mac] = /^([\w-]{1,64})\.(\d{1,16})\.([\w-]{43})$/.exec(text) ?? [];
    if (id === undefined || expiry === undefined || mac === undefined) return undefined;
    const expected = this.#mac(purpose, `${id}.${expiry}`);
    if (!timingSafeEqual(Buffer.from(mac, 'base64url'), expected)) return undefined;
    const expiresAt = Number(expiry);
    return expiresAt > now ? { id, expiresAt } : undefined;
  }

  #mac(purpose: string, body: string): Buffer {
    return createHmac('sha256', this.#secret).update(`${purpose}\n${body}`).digest();
  }
}

/** 128 bits that nobody can guess, safe in addresses and cookies. */
export function randomToken(): string {
  return randomBytes(16).toString('base64url');
}
