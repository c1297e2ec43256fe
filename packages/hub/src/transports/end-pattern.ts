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
/** How far from each other connections may end that run into the same timeout: of its length ... */
const jitterShare = 0.02;
/** ... and of the time between pings, within which those that end at random are spread. */
const jitterOfPings = 0.02;
const leastJitterMs = 100;
const mostJitterMs = 500;

/**
 * Finds a timeout behind connections that just end: people leave at random, and timeouts do not. A
 * path over which connections end at random for ever gives a false alarm in one of a thousand cases.
 */
export class EndPattern {
  readonly #ends: ConnectionEnd[] = [];
  readonly #jitterMs: number;

  /** @param pingIntervalMs - 0 for none */
  constructor(pingIntervalMs: number) {
    const jitterMs = pingIntervalMs === 0 ? mostJitterMs : pingIntervalMs * jitterOfPings;
    this.#jitterMs = Math.min(Math.max(jitterMs, leastJitterMs), mostJitterMs);
  }

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
    const reach = Math.max(this.#jitterMs, newest * jitterShare);
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
