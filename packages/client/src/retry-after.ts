/** A server that asks to be left alone for longer than this is not obeyed to the letter. */
const longestMs = 120_000;

/** What a `Retry-After` header asks for, in milliseconds (RFC 9110 §10.2.3: seconds, or a date). */
export function retryAfterMs(headers: Headers, now: number = Date.now()): number | undefined {
  const value = headers.get('retry-after')?.trim() ?? '';
  if (value === '') return undefined;
  const ms = /^\d+$/.test(value) ? Number(value) * 1_000 : Date.parse(value) - now;
  return Number.isNaN(ms) ? undefined : Math.min(longestMs, Math.max(0, ms));
}

/**
 * What a busy server asks for in the words of a refused connect, where there are no headers: "too many
 * requests: this server is busy, try again in 4 s".
 */
export function saidRetryAfterMs(message: string): number | undefined {
  const [, seconds] = /\btry again in (\d{1,6}) s\b/.exec(message) ?? [];
  return seconds === undefined ? undefined : Math.min(longestMs, Number(seconds) * 1_000);
}

/** A `fetch` that tells what refusals ask for. */
export function watchRetryAfter(
  fetch: typeof globalThis.fetch | undefined,
  onHint: (ms: number) => void,
): typeof globalThis.fetch {
  return async (input, init) => {
    // Looked up at each call, since pages replace it.
    const response = await (fetch ?? globalThis.fetch)(input, init);
    const ms = response.ok ? undefined : retryAfterMs(response.headers);
    if (ms !== undefined) onHint(ms);
    return response;
  };
}
