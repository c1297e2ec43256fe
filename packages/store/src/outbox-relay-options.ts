/**
 * Hands an event to the broker and resolves when the broker has it. Called again with the same key
 * when that is not certain, so the broker must drop repetitions.
 */
export type PublishEvent = (
  channel: string,
  /** JSON. */
  data: Uint8Array,
  options: { readonly idempotencyKey: string },
) => Promise<unknown>;

/** Why events were given up. */
export interface DiscardedEvents {
  /** `rejected`: the broker refused one for good. `age` and `count`: the limits of the outbox. */
  readonly reason: 'rejected' | 'age' | 'count';
  readonly channels: readonly string[];
  readonly count: number;
  /** What the broker said. */
  readonly error?: unknown;
}

/** Where events are published, and what becomes of those that cannot be. */
export interface OutboxRelayOptions {
  readonly publish: PublishEvent;
  /**
   * Whether trying again cannot help.
   * @defaultValue errors that say so with `temporary: false` or `retryable: false`
   */
  readonly isPermanent?: (error: unknown) => boolean;
  /** How long the broker may take for one event. @defaultValue 10000 */
  readonly publishTimeoutMs?: number;
  /** Channels published at the same time. @defaultValue 512 */
  readonly maxChannels?: number;
  /** Events older than this are dropped: their readers have long read the state itself. @defaultValue 86400000 (a day) */
  readonly maxAgeMs?: number;
  /** When more events wait than this, the oldest are dropped. @defaultValue 1000000 */
  readonly maxWaiting?: number;
  /** Refused events kept for inspection. @defaultValue 1000 */
  readonly maxDeadLetters?: number;
  /** Told when events were given up, so that readers of the channels can be told to read the state. */
  readonly onDiscarded?: (event: DiscardedEvents) => void;
  /** Told when the database or the broker cannot be used; the relay goes on trying. */
  readonly onProblem?: (problem: { readonly message: string; readonly cause: unknown }) => void;
}

/** {@link OutboxRelayOptions} with their defaults. */
export function relaySettings(options: OutboxRelayOptions): Required<OutboxRelayOptions> {
  return {
    publish: options.publish,
    isPermanent: options.isPermanent ?? saysPermanent,
    publishTimeoutMs: options.publishTimeoutMs ?? 10_000,
    maxChannels: options.maxChannels ?? 512,
    maxAgeMs: options.maxAgeMs ?? 86_400_000,
    maxWaiting: options.maxWaiting ?? 1_000_000,
    maxDeadLetters: options.maxDeadLetters ?? 1000,
    onDiscarded: options.onDiscarded ?? (() => {}),
    onProblem: options.onProblem ?? (() => {}),
  };
}

function saysPermanent(error: unknown): boolean {
  if (typeof error !== 'object' || error === null) return false;
  const { temporary, retryable } = error as { temporary?: unknown; retryable?: unknown };
  return temporary === false || retryable === false;
}
