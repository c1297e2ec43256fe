import { type OutgoingHttpHeaders, validateHeaderName, validateHeaderValue } from 'node:http';
import type { ResolvedHookProxyOptions } from './options.ts';

/** These belong to each hop, or to the body that we send; a client's values must not replace them. */
const neverForwarded: ReadonlySet<string> = new Set([
  'connection',
  'content-encoding',
  'content-length',
  'content-type',
  'expect',
  'host',
  'http2-settings',
  'keep-alive',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

export interface ForwardedHeadersOptions extends Pick<
  ResolvedHookProxyOptions,
  'httpHeaders' | 'emulatedHeaders' | 'staticHeaders'
> {
  /** Sent as `Authorization` unless something else gives that header. */
  readonly authorization: string | undefined;
  /** The configuration key of the endpoint, for errors. */
  readonly key: string;
}

export interface ClientHeaders {
  /** Of the client's HTTP request; lower-case names. */
  readonly http: Readonly<Record<string, string | string[] | undefined>>;
  /** Of the client's connect command; any case. */
  readonly emulated: Readonly<Record<string, string>>;
}

/**
 * Chooses what of a client's headers reaches the backend: only listed names, each kind through its
 * own list. HTTP headers win over emulated ones, and both over static ones.
 */
export class ForwardedHeaders {
  readonly #fixed: OutgoingHttpHeaders = Object.create(null) as OutgoingHttpHeaders;
  readonly #http: readonly string[];
  readonly #emulated: ReadonlySet<string>;
  /** Listed names that are not forwarded, for a warning at start. */
  readonly ignoredNames: readonly string[];

  /** @throws Error when a configured name or value cannot be an HTTP header. */
  constructor(options: ForwardedHeadersOptions) {
    const { authorization, key: endpointKey } = options;
    const lists = { http_headers: options.httpHeaders, emulated_headers: options.emulatedHeaders };
    for (const [key, names] of Object.entries(lists)) {
      for (const name of names)
        check(`${endpointKey}.${key}: '${name}'`, () => validateHeaderName(name));
    }
    this.#fixed['user-agent'] = 'holdfast';
    if (authorization !== undefined) this.#fixed.authorization = authorization;
    for (const [name, value] of Object.entries(options.staticHeaders)) {
      check(`${endpointKey}.http.static_headers: '${name}'`, () => {
        validateHeaderName(name);
        validateHeaderValue(name, value);
      });
      this.#fixed[name.toLowerCase()] = value;
    }
    this.#fixed['content-type'] = 'application/json';
    const http = options.httpHeaders.map((name) => name.toLowerCase());
    const emulated = options.emulatedHeaders.map((name) => name.toLowerCase());
    this.#http = http.filter((name) => !neverForwarded.has(name));
    this.#emulated = new Set(emulated.filter((name) => !neverForwarded.has(name)));
    this.ignoredNames = [...new Set([...http, ...emulated])].filter((name) =>
      neverForwarded.has(name),
    );
  }

  /** @returns undefined when an emulated value cannot be an HTTP header (line breaks, for instance). */
  build(client: ClientHeaders): OutgoingHttpHeaders | undefined {
    const headers: OutgoingHttpHeaders = { ...this.#fixed };
    if (this.#emulated.size > 0) {
      for (const [name, value] of Object.entries(client.emulated)) {
        const lower = name.toLowerCase();
        if (!this.#emulated.has(lower)) continue;
        if (!isHeaderValue(lower, value)) return undefined;
        headers[lower] = value;
      }
    }
    for (const name of this.#http) {
      const value = Object.hasOwn(client.http, name) ? client.http[name] : undefined;
      if (value !== undefined) headers[name] = value;
    }
    return headers;
  }
}

function isHeaderValue(name: string, value: string): boolean {
  try {
    validateHeaderValue(name, value);
    return true;
  } catch {
    return false;
  }
}

/** Names the setting instead of quoting the value, which may be a secret. */
function check(setting: string, validate: () => void): void {
  try {
    validate();
  } catch {
    throw new Error(`${setting} is no valid HTTP header`);
  }
}
