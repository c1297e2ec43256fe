import { errorCodes, ReplyError } from '@holdfast/protocol';
import type { Clock } from './clock.ts';
import type { Logger } from './hub.ts';
import type { AdmissionOptions } from './client-options.ts';
import { createRate, type Rate, TokenBucket } from './token-bucket.ts';

/** How often waiting handshakes are looked at while there are some. */
const tickMs = 50;
/** Backlogs shorter than this are nobody's concern, and are not logged. */
const notableMs = 1_000;
/** Longest time until the queue is gone that those refused are told of; half of them wait longer. */
const maxDrainSeconds = 10;
/** How long the throughput remembers: backends that take a second answer in bursts. */
const memoryMs = 3_000;
/** Nothing is known of the throughput before something is done, or should have been. */
const patienceMs = 2_000;

/** One client's way through connect. See `handshake-queue.spec.md`. */
export class Handshake {
  state: 'waiting' | 'running' | 'refused' | 'over' = 'waiting';
  readonly askedAt: number;
  startedAt = 0;
  /** Set when refused. */
  refusal: ReplyError | undefined;
  readonly #queue: HandshakeQueue;
  #settle: (() => void) | undefined;

  constructor(queue: HandshakeQueue, askedAt: number) {
    this.#queue = queue;
    this.askedAt = askedAt;
  }

  /** Resolves when it no longer waits. To be called once. */
  turn(): Promise<void> {
    return new Promise((resolve) => {
      if (this.state === 'waiting') this.#settle = resolve;
      else resolve();
    });
  }

  /** It is done, or its client is gone. Idempotent. */
  end(): void {
    this.#queue.end(this);
  }

  /** For the queue alone. */
  moveTo(state: 'running' | 'refused' | 'over', refusal?: ReplyError): void {
    this.state = state;
    this.refusal = refusal;
    this.#settle?.();
    this.#settle = undefined;
  }
}

export interface HandshakeQueueOptions {
  readonly options: AdmissionOptions;
  readonly clock: Clock;
  readonly logger: Logger;
  /** In [0, 1). */
  readonly random: () => number;
  /** A turn that takes longer waits for somebody else, and no longer counts. @defaultValue 5000 */
  readonly longestTurnMs?: number;
  /** Told how many have their turn, and how many wait. */
  readonly onChange?: (running: number, waiting: number) => void;
  /** Told how long somebody waited whose turn begins. */
  readonly onTurn?: (waitedMs: number) => void;
  readonly onRefused?: () => void;
}

/** A time in which handshakes had to wait, or were refused. */
interface Episode {
  readonly startedAt: number;
  readonly stop: () => void;
  lastTickAt: number;
  admitted: number;
  refused: number;
  refusedAtLastTick: number;
  longestWaitMs: number;
  isReported: boolean;
}

/**
 * Lets so many handshakes go on at the same time as the node and what is behind it can take, and the
 * others wait their turn: first come, first served. Who would wait longer than clients do is told at
 * once to come back later, instead of being served when it has given up.
 */
export class HandshakeQueue {
  readonly #options: AdmissionOptions;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #longestTurnMs: number;
  readonly #onChange: HandshakeQueueOptions['onChange'];
  readonly #onTurn: HandshakeQueueOptions['onTurn'];
  readonly #onRefused: HandshakeQueueOptions['onRefused'];
  readonly #random: () => number;
  readonly #rate: Rate | undefined;
  readonly #bucket = new TokenBucket();
  readonly #refusals: ReplyError[] = [];
  /** In the order in which they began. */
  readonly #running = new Set<Handshake>();
  /** In the order in which they came. */
  readonly #waiting = new Set<Handshake>();
  #ended = 0;
  /** What was done of late, and in how much time; both fade. */
  #recent = { ended: 0, elapsedMs: 0 };
  #episode: Episode | undefined;

  constructor(settings: HandshakeQueueOptions) {
    const { options, clock, logger, random, longestTurnMs = 5_000 } = settings;
    this.#options = options;
    this.#clock = clock;
    this.#logger = logger;
    this.#random = random;
    this.#longestTurnMs = longestTurnMs;
    this.#onChange = settings.onChange;
    this.#onTurn = settings.onTurn;
    this.#onRefused = settings.onRefused;
    this.#rate = createRate(options.rate, options.rate);
  }

  /** Begins a handshake, lets it wait, or refuses it. */
  enter(): Handshake {
    const now = this.#clock.monotonic();
    const handshake = new Handshake(this, now);
    if (this.#waiting.size === 0 && this.#takeTurn(handshake, now)) return handshake;
    this.#beginEpisode(now);
    if (this.#isFull()) this.#refuse(handshake);
    else this.#waiting.add(handshake);
    this.#count();
    return handshake;
  }

  /** Whether whoever comes now would be refused: better before its connection costs anything. */
  isOverloaded(): boolean {
    return this.#waiting.size > 0 && this.#isFull();
  }

  #isFull(): boolean {
    const { queueSize, queueTimeoutMs } = this.#options;
    return this.#waiting.size >= queueSize || this.#expectedWaitMs() > queueTimeoutMs;
  }

  /** When those refused now had better come back: when the queue is gone, and not all at once. */
  retryAfterSeconds(): number {
    const seconds = Math.min(maxDrainSeconds, Math.max(1, this.#expectedWaitMs() / 1_000));
    return Math.ceil(seconds * (1 + this.#random()));
  }

  end(handshake: Handshake): void {
    if (handshake.state === 'over') return;
    handshake.moveTo('over');
    this.#waiting.delete(handshake);
    if (this.#running.delete(handshake)) {
      this.#ended += 1;
      if (this.#waiting.size > 0) this.#admit(this.#clock.monotonic());
    }
    this.#count();
  }

  #takeTurn(handshake: Handshake, now: number): boolean {
    const { concurrency } = this.#options;
    if (concurrency > 0 && this.#running.size >= concurrency) return false;
    if (this.#rate !== undefined && !this.#bucket.take(this.#rate, now)) return false;
    handshake.startedAt = now;
    handshake.moveTo('running');
    this.#running.add(handshake);
    const waitedMs = now - handshake.askedAt;
    this.#onTurn?.(waitedMs);
    if (this.#episode !== undefined) {
      this.#episode.admitted += 1;
      this.#episode.longestWaitMs = Math.max(this.#episode.longestWaitMs, waitedMs);
    }
    this.#count();
    return true;
  }

  #admit(now: number): void {
    for (const handshake of this.#waiting) {
      if (!this.#takeTurn(handshake, now)) break;
      this.#waiting.delete(handshake);
    }
    this.#count();
  }

  #refuse(handshake: Handshake): void {
    const seconds = this.retryAfterSeconds();
    const { code, message, temporary } = errorCodes.tooManyRequests;
    this.#refusals[seconds] ??= new ReplyError(
      code,
      `${message}: this server is busy, try again in ${seconds} s`,
      temporary,
    );
    handshake.moveTo('refused', this.#refusals[seconds]);
    this.#onRefused?.();
    if (this.#episode !== undefined) this.#episode.refused += 1;
  }

  #expectedWaitMs(): number {
    const perSecond = this.#throughput();
    if (perSecond === undefined || this.#waiting.size === 0) return 0;
    return (this.#waiting.size / Math.max(perSecond, 0.1)) * 1_000;
  }

  #beginEpisode(now: number): void {
    this.#episode ??= {
      startedAt: now,
      stop: this.#clock.every(tickMs, () => this.#tick()),
      lastTickAt: now,
      admitted: 0,
      refused: 0,
      refusedAtLastTick: 0,
      longestWaitMs: 0,
      isReported: false,
    };
  }

  #tick(): void {
    const episode = this.#episode;
    if (episode === undefined) return;
    const now = this.#clock.monotonic();
    this.#measure(now - episode.lastTickAt);
    episode.lastTickAt = now;
    for (const handshake of this.#running) {
      if (now - handshake.startedAt < this.#longestTurnMs) break;
      this.#running.delete(handshake);
    }
    for (const handshake of this.#waiting) {
      if (now - handshake.askedAt < this.#options.queueTimeoutMs) break;
      this.#waiting.delete(handshake);
      this.#refuse(handshake);
    }
    this.#admit(now);
    this.#report(episode, now);
    const isOver = this.#waiting.size === 0 && episode.refused === episode.refusedAtLastTick;
    episode.refusedAtLastTick = episode.refused;
    if (isOver) this.#endEpisode(episode, now);
  }

  #measure(elapsedMs: number): void {
    const faded = Math.exp(-elapsedMs / memoryMs);
    this.#recent = {
      ended: this.#recent.ended * faded + this.#ended,
      elapsedMs: this.#recent.elapsedMs * faded + elapsedMs,
    };
    this.#ended = 0;
  }

  /** Handshakes per second, of late. */
  #throughput(): number | undefined {
    const { ended, elapsedMs } = this.#recent;
    if (ended === 0 && elapsedMs < patienceMs) return undefined;
    return (ended * 1_000) / Math.max(1, elapsedMs);
  }

  #report(episode: Episode, now: number): void {
    if (episode.isReported) return;
    if (episode.refused === 0 && now - episode.startedAt < notableMs) return;
    episode.isReported = true;
    this.#logger.warn(
      {
        waiting: this.#waiting.size,
        underWay: this.#running.size,
        perSecond: Math.round(this.#throughput() ?? 0),
      },
      "clients come faster than they can be connected: they wait their turn, and are told to come back where that takes longer than 'admission.queue_timeout'",
    );
  }

  #endEpisode(episode: Episode, now: number): void {
    episode.stop();
    this.#episode = undefined;
    this.#recent = { ended: 0, elapsedMs: 0 };
    this.#ended = 0;
    if (!episode.isReported) return;
    this.#logger.info(
      {
        durationMs: Math.round(now - episode.startedAt),
        admitted: episode.admitted,
        refused: episode.refused,
        longestWaitMs: Math.round(episode.longestWaitMs),
      },
      'no client waits to be connected any more',
    );
  }

  #count(): void {
    this.#onChange?.(this.#running.size, this.#waiting.size);
  }

  close(): void {
    this.#episode?.stop();
    this.#episode = undefined;
    for (const handshake of this.#waiting) handshake.moveTo('over');
    this.#waiting.clear();
    this.#count();
  }
}
