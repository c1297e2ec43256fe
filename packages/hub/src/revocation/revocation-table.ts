import type { Revocation, RevocationKind } from '../ports/revocation-store.ts';

/** How long one that was lifted is kept, so that nodes which missed it do not bring it back. */
const liftedTtlMs = 3_600_000;

export interface RevocationPage {
  readonly revocations: readonly Revocation[];
  /** Asks for the rest; absent when there is none. */
  readonly after?: number;
}

interface Entry {
  readonly revocation: Revocation;
  /** Grows with every change, so the order of the map is the order of these. */
  readonly sequence: number;
}

/** Revocations by kind and subject. Of two for the same, the later one counts. */
export class RevocationTable {
  readonly #entries = new Map<string, Entry>();
  #sequence = 0;

  /** Those that were lifted and are still remembered included. */
  get size(): number {
    return this.#entries.size;
  }

  /** False when it is not news: the one that is there was changed later, or is the same. */
  put(revocation: Revocation): boolean {
    const key = keyOf(revocation.kind, revocation.subject);
    const known = this.#entries.get(key);
    if (known !== undefined && !isLater(revocation, known.revocation)) return false;
    this.#entries.delete(key);
    this.#sequence += 1;
    this.#entries.set(key, { revocation, sequence: this.#sequence });
    return true;
  }

  /** The one that is known, in force or not. */
  get(kind: RevocationKind, subject: string): Revocation | undefined {
    return this.#entries.get(keyOf(kind, subject))?.revocation;
  }

  /** The one in force. @param now - Unix milliseconds */
  find(kind: RevocationKind, subject: string, now: number): Revocation | undefined {
    const revocation = this.get(kind, subject);
    return revocation !== undefined && isInForce(revocation, now) ? revocation : undefined;
  }

  /** Forgets what is neither in force nor needed to keep it so. */
  sweep(now: number): void {
    for (const [key, { revocation }] of this.#entries) {
      const isOld = now - revocation.changedAt >= liftedTtlMs;
      if (isOld && !isInForce(revocation, now)) this.#entries.delete(key);
    }
  }

  /** Everything, page by page: nothing that stays is left out, whatever changes meanwhile. */
  page(after: number, limit: number): RevocationPage {
    const page: Entry[] = [];
    for (const entry of this.#entries.values()) {
      if (entry.sequence > after && page.push(entry) === limit) break;
    }
    const last = page.length === limit ? page.at(-1)?.sequence : undefined;
    return {
      revocations: page.map(({ revocation }) => revocation),
      ...(last === undefined ? {} : { after: last }),
    };
  }
}

export function isInForce({ expireAt }: Revocation, now: number): boolean {
  return expireAt === 0 || expireAt * 1000 > now;
}

/** The same on every node, also for two that were made in the same millisecond. */
function isLater(one: Revocation, other: Revocation): boolean {
  if (one.changedAt !== other.changedAt) return one.changedAt > other.changedAt;
  if (one.expireAt !== other.expireAt) return one.expireAt > other.expireAt;
  return (one.issuedBefore ?? 0) > (other.issuedBefore ?? 0);
}

function keyOf(kind: RevocationKind, subject: string): string {
  return `${kind} ${subject}`;
}
