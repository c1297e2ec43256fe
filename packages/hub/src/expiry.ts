/** Members of a result or push that tell a client when to refresh. */
export interface ExpiryMembers {
  readonly expires?: true;
  /** Seconds. */
  readonly ttl?: number;
}

/** `ttl` is a uint32 on the wire; expiries in more than 136 years are told as that. */
const maxTtlSeconds = 0xffff_ffff;

/** @param expireAt - Unix seconds; 0 for never, which has no members. What is over has `ttl` 1. */
export function expiryMembers(expireAt: number, nowMs: number): ExpiryMembers {
  if (expireAt === 0) return {};
  const seconds = Math.ceil(expireAt - nowMs / 1000);
  return { expires: true, ttl: Math.min(Math.max(seconds, 1), maxTtlSeconds) };
}
