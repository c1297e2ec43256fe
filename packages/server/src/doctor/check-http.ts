import { pass, type Finding } from './finding.ts';
import { printable } from './judge-handshake.ts';
import type { Visitor } from './visitor.ts';

/** What an answer says about caches on its way. */
export interface CacheEvidence {
  /** What was asked with, and what came back; undefined where no Holdfast answered. */
  readonly sent: string;
  readonly echoed: string | undefined;
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string | undefined>>;
}

/** Asks the same twice: who answers, and whether the second answer is a new one. */
export async function checkHttp(visitor: Visitor): Promise<Finding> {
  // With a query, so that what a cache keeps of this question is nobody else's answer.
  const url = `${visitor.target.websocket.replace(/^ws/, 'http')}?holdfast_doctor`;
  let evidence = '';
  let cache: string | undefined;
  for (let attempt = 0; attempt < 2; attempt += 1) {
    const sent = crypto.randomUUID();
    const response = await fetch(url, {
      redirect: 'manual',
      headers: { Accept: 'application/json', 'X-Holdfast-Nonce': sent },
      signal: AbortSignal.timeout(visitor.timeoutMs),
    });
    // To its end: what is left halfway is kept by no cache.
    await response.arrayBuffer();
    const by = response.headers.get('server');
    const { status } = response;
    const what =
      status === 426
        ? 'HTTP 426, as the server answers what is no handshake'
        : `something answers: HTTP ${status}`;
    evidence = `${what}${by === null ? '' : `, Server: ${printable(by)}`}`;
    const echoed = response.headers.get('x-holdfast-nonce') ?? undefined;
    cache ??= cacheOf({ sent, echoed, headers: Object.fromEntries(response.headers) });
  }
  if (cache === undefined) return pass(evidence);
  return {
    status: 'fail',
    evidence: `${evidence}, ${cache}`,
    cause: 'A cache answered in place of the server, although every answer says no-store.',
    mend: 'Exempt the paths of connections from the cache (nginx: proxy_cache off, no proxy_ignore_headers Cache-Control; CDN: a rule that bypasses the cache).',
  };
}

/** What gives the cache away; undefined when nothing does. */
export function cacheOf({ sent, echoed, headers }: CacheEvidence): string | undefined {
  if (echoed !== undefined && echoed !== sent) return 'with the answer to an earlier question';
  const { age } = headers;
  if (age !== undefined && Number(age) > 0) return `Age: ${printable(age)}`;
  for (const name of ['x-cache', 'x-cache-status', 'cf-cache-status', 'x-proxy-cache']) {
    const value = headers[name];
    if (value !== undefined && /\bhit\b/i.test(value)) return `${name}: ${printable(value)}`;
  }
  return undefined;
}
