/** What is taken back: a user, one token, or the tokens that a user got before some moment. */
export type RevocationKind = 'user' | 'token' | 'tokens_of_user';

/** Says that a user is blocked, or that tokens count no more. Plain data. */
export interface Revocation {
  readonly kind: RevocationKind;
  /** A user id, or for `token` the id of the token (`jti`). */
  readonly subject: string;
  /** Unix seconds; 0 for never. Once in the past, the revocation is lifted. */
  readonly expireAt: number;
  /** For `tokens_of_user`: tokens issued before this moment. Unix seconds. */
  readonly issuedBefore?: number;
  /** Unix milliseconds. Of two for the same kind and subject, the later one counts. */
  readonly changedAt: number;
}

/**
 * Keeps revocations beyond the life of a process. Hubs hold all of them in memory, tell each other of
 * changes and read the store only when they start, so it may be slow, and shared by any number of hubs.
 */
export interface RevocationStore {
  /** All that were put, one per kind and subject; expired ones may be left out. */
  load(): Promise<readonly Revocation[]>;
  /**
   * Replaces that of the same kind and subject, unless the one kept was changed later. When this
   * resolves, {@link load} has it: after a restart too, if the store is a durable one.
   */
  put(revocation: Revocation): Promise<void>;
  /** What keeps it from working; undefined when nothing does. */
  problem(): string | undefined;
  close(): Promise<void>;
}
