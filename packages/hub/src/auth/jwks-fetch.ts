import type { LookupAddress } from 'node:dns';
import { lookup as systemLookup } from 'node:dns/promises';
import { type IncomingMessage, type RequestOptions, request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';
import { type LookupFunction, isIP } from 'node:net';
import { isPublicAddress } from './public-address.ts';
import { quote } from './token-refusal.ts';

/** What is asked of one read of a key set. */
export interface JwksFetchOptions {
  /** Refuse hosts that have an address outside the public Internet. */
  readonly publicAddressesOnly: boolean;
}

/**
 * Reads the text of a key set.
 * @throws JwksFetchError for every failure.
 */
export type JwksFetch = (url: URL, options: JwksFetchOptions) => Promise<string>;

/** Resolves a host name to all of its addresses; rejects as `dns.lookup` fails. */
export type HostLookup = (hostname: string) => Promise<readonly LookupAddress[]>;

/** A key set could not be read. The message says why and what to do. */
export class JwksFetchError extends Error {
  override readonly name = 'JwksFetchError';
}

/** Bounds of one read of a key set, in milliseconds and bytes. */
export interface JwksFetchLimits {
  readonly timeoutMs: number;
  readonly maxBytes: number;
  /** @defaultValue the system's resolver */
  readonly lookup?: HostLookup;
}

/**
 * Creates the reader of key sets: one GET without credentials, no redirects, no compression, a
 * deadline over everything, a body limit that holds while reading. The connection goes to exactly
 * the addresses that were checked, so that a name cannot answer differently a second time.
 */
export function createJwksFetch(limits: JwksFetchLimits): JwksFetch {
  const { timeoutMs, maxBytes, lookup = lookupAll } = limits;

  async function load(url: URL, publicAddressesOnly: boolean, signal: AbortSignal) {
    const hostname = url.hostname.replace(/^\[|\]$/g, '');
    const family = isIP(hostname);
    const addresses =
      family === 0 ? await lookup(hostname) : [{ address: hostname, family } as const];
    if (publicAddressesOnly) requirePublic(addresses);
    const response = await open(url, {
      agent: false,
      signal,
      headers: { accept: 'application/jwk-set+json, application/json' },
      lookup: pinTo(addresses),
    });
    return readBody(response, maxBytes);
  }

  return async (url, { publicAddressesOnly }) => {
    const signal = AbortSignal.timeout(timeoutMs);
    try {
      return await Promise.race([load(url, publicAddressesOnly, signal), rejectOnAbort(signal)]);
    } catch (error) {
      if (error instanceof JwksFetchError) throw error;
      if (signal.aborted) {
        throw new JwksFetchError(`no complete answer within ${timeoutMs} ms`, { cause: error });
      }
      throw new JwksFetchError(describe(error), { cause: error });
    }
  };
}

/** A resolver cannot be told to stop, so its answer is no longer waited for. */
function rejectOnAbort(signal: AbortSignal): Promise<never> {
  const { promise, reject } = Promise.withResolvers<never>();
  signal.addEventListener('abort', () => reject(new Error('timeout')), { once: true });
  return promise;
}

function describe(error: unknown): string {
  // A host with several addresses fails with one error for each of them.
  const errors: readonly unknown[] = error instanceof AggregateError ? error.errors : [error];
  return errors.map((each) => (each instanceof Error ? each.message : String(each))).join('; ');
}

function open(url: URL, options: RequestOptions): Promise<IncomingMessage> {
  const request = (url.protocol === 'https:' ? requestHttps : requestHttp)(url, options);
  return new Promise((resolve, reject) => {
    request.once('response', resolve);
    request.on('error', reject);
    request.end();
  });
}

async function readBody(response: IncomingMessage, maxBytes: number): Promise<string> {
  try {
    const { statusCode = 0, headers } = response;
    if (statusCode >= 300 && statusCode < 400) {
      const target = quote(headers.location ?? '');
      throw new JwksFetchError(
        `answered with a redirect to ${target}; redirects are not followed, configure the final URL`,
      );
    }
    if (statusCode !== 200) throw new JwksFetchError(`answered with status ${statusCode}`);
    const encoding = headers['content-encoding'] ?? 'identity';
    if (encoding !== 'identity') {
      throw new JwksFetchError(`answered compressed (${quote(encoding)}) without being asked to`);
    }
    const chunks: Buffer[] = [];
    let size = 0;
    for await (const chunk of response as AsyncIterable<Buffer>) {
      size += chunk.length;
      if (size > maxBytes) throw new JwksFetchError(`answered with more than ${maxBytes} bytes`);
      chunks.push(chunk);
    }
    return Buffer.concat(chunks).toString('utf8');
  } finally {
    response.destroy();
  }
}

function lookupAll(hostname: string): Promise<readonly LookupAddress[]> {
  return systemLookup(hostname, { all: true });
}

function pinTo([first, ...others]: readonly LookupAddress[]): LookupFunction {
  return (_hostname, { all }, callback) => {
    if (!first) callback(new Error('the host has no address'), '');
    else if (all) callback(null, [first, ...others]);
    else callback(null, first.address, first.family);
  };
}

/** One address that is not public spoils all: the host is not what it should be. */
function requirePublic(addresses: readonly { readonly address: string }[]): void {
  const spoiler = addresses.find(({ address }) => !isPublicAddress(address));
  if (!spoiler) return;
  throw new JwksFetchError(
    `its host has the address ${spoiler.address}, which is not public; hosts that tokens choose must be`,
  );
}
