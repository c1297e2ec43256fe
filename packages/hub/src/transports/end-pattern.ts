/** A connection that ended without a word from either side. Times in milliseconds. */
export interface ConnectionEnd {
  /** When, on the monotonic clock. */
  readonly at: number;
  /** How long it had existed. */
  readonly ageMs: number;
  /** How long no byte had passed over it, in either direction. */
  readonly silentMs: number;
}

/** What the ends through one address have in common. */
export interface EndRule {
  /** `silence`: they had all been silent for that long. `age`: they all had that age. */
  readonly kind: 'silence' | 'age';
  /** The middle one of those that agree. */
  readonly afterMs: number;
  readonly agreeing: number;
  readonly seen: number;
}

/** Ends that are kept for each address. */
const kept = 16;
/** So many must agree, and so large a share of those that are kept. */
const leastAgreeing = 5;
const leastShare = 2 / 3;
/** Ends this close together are one event, such as a proxy that restarts, and count once. */
const sameMomentMs = 250;
/** No timeout of a proxy is shorter: what ends sooner was never meant to last. */
const shortestMs = 900;
/** How far from each other timeouts of the same length end, beyond a share of that length. */
const jitterMs = 500;
const jitterShare = 0.05;

/**
 * Finds a timeout behind connections that just end: people leave at random, and timeouts do not. Five
 * random ends agree by accident once in tens of thousands of times.
 */
export class EndPattern {
  readonly #ends: ConnectionEnd[] = [];

  /** Adds one, and says which rule the last ones follow; undefined for none. */
  add(end: ConnectionEnd): EndRule | undefined {
    const last = this.#ends.at(-1);
    if (end.ageMs < shortestMs || (last !== undefined && end.at - last.at < sameMomentMs)) {
      return undefined;
    }
    this.#ends.push(end);
    if (this.#ends.length > kept) this.#ends.shift();
    const bySilence = this.#agreement('silence', end.silentMs, ({ silentMs }) => silentMs);
    return bySilence ?? this.#agreement('age', end.ageMs, ({ ageMs }) => ageMs);
  }

  #agreement(
    kind: EndRule['kind'],
    newest: number,
    of: (end: ConnectionEnd) => number,
  ): EndRule | undefined {
    if (newest < shortestMs) return undefined;
    const reach = Math.max(jitterMs, newest * jitterShare);
    const agreeing = this.#ends
      .map(of)
      .filter((value) => Math.abs(value - newest) <= reach)
      .toSorted((left, right) => left - right);
    const seen = this.#ends.length;
    if (agreeing.length < Math.max(leastAgreeing, seen * leastShare)) return undefined;
    const afterMs = agreeing[Math.floor(agreeing.length / 2)] ?? newest;
    return { kind, afterMs, agreeing: agreeing.length, seen };
  }
}
