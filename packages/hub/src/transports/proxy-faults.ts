import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { TLSSocket } from 'node:tls';
import type { HubContext } from '../hub-context.ts';
import type { Session } from '../session.ts';
import { EndPattern, type EndRule } from './end-pattern.ts';
import { idleTimeoutOptions } from './idle-timeout-options.ts';

/** What can be wrong on the way; a label of the metrics and `kind` in the log. */
export type ProxyFault =
  /** A handshake came without its headers, and was rescued or refused. */
  | 'upgrade_rescued'
  | 'upgrade_stripped'
  /** TLS ends before a proxy that does not say so. */
  | 'tls_offload'
  /** A page whose origin is not allowed, which may also be a rewritten header. */
  | 'origin_refused'
  /** Connections are cut when they were silent for a certain time, or when they reach an age. */
  | 'idle_timeout'
  | 'lifetime_limit'
  /** Clients do not get the beginning of their streams. */
  | 'buffered_stream'
  /** A cache stands before the endpoints and takes their answers for files. */
  | 'cache';

/** Addresses that are remembered; beyond that the oldest are forgotten, and told again. */
const maxRemembered = 256;

interface Notice {
  readonly message: string;
  /** Tells faults of one kind and address apart that have to be mended one by one. Not logged. */
  readonly scope?: string;
  readonly [field: string]: unknown;
}

/** How the connections through one address end. */
interface Path {
  readonly ends: EndPattern;
  /** Of streams whose client never answered anything. */
  unheard: EndPattern;
}

/**
 * Everything that the server can tell about the proxies before it. Each fault is counted each time it
 * shows, and told once for each address: a broken proxy shows the same with every attempt of a client.
 */
export class ProxyFaults {
  readonly #hub: Pick<HubContext, 'logger' | 'metrics' | 'clock' | 'options'>;
  readonly #told = new Set<string>();
  readonly #paths = new Map<string, Path>();

  constructor(hub: Pick<HubContext, 'logger' | 'metrics' | 'clock' | 'options'>) {
    this.#hub = hub;
  }

  /** Counts a fault, and writes a warning with the fields of the notice unless there was one. */
  report(proxy: string, fault: ProxyFault, { message, scope = '', ...fields }: Notice): void {
    this.#hub.metrics.proxyFaults.add(fault);
    const key = `${fault} ${proxy} ${scope}`;
    if (this.#told.has(key)) return;
    forgetOldest(this.#told);
    this.#told.add(key);
    this.#hub.logger.warn({ proxy, kind: fault, ...fields }, message);
  }

  /** Looks at a request that is to become a connection. */
  inspect(request: IncomingMessage): void {
    const { headers, socket } = request;
    const message = schemeProblem(headers, socket instanceof TLSSocket);
    if (message !== undefined) this.report(addressOf(request), 'tls_offload', { message });
    if (conditional.some((name) => headers[name] !== undefined)) {
      this.report(addressOf(request), 'cache', {
        message:
          'a request for a connection has the conditions of a cache (If-None-Match, If-Modified-Since or Range), although no answer here may be stored: exempt the paths of connections from caching at the proxy or CDN',
      });
    }
  }

  /** A connection ended without a word from either side. */
  cut(session: Session): void {
    if (session.state !== 'connected') return;
    const { transport, openedAt, framesReceived } = session;
    const { info, silentMs } = transport;
    const at = this.#hub.clock.monotonic();
    const path = this.#path(info.remoteAddress);
    const end = { at, ageMs: at - openedAt, silentMs };
    const mayAnswer = transport.needsSessionId && !info.unidirectional;
    // The first frame was its request, which a proxy that holds back answers lets through.
    if (mayAnswer && framesReceived < 2) {
      if (path.unheard.add(end) === undefined) return;
      this.report(info.remoteAddress, 'buffered_stream', {
        transport: info.name,
        message: `clients give up on streams (${info.name}) through this address without ever having answered one: a proxy holds the responses back. Turn buffering and compression off for this path (nginx: proxy_buffering off, gzip off, no proxy_ignore_headers X-Accel-Buffering; Apache: flushpackets=on)`,
      });
      return;
    }
    if (mayAnswer) path.unheard = this.#pattern();
    const rule = path.ends.add(end);
    if (rule !== undefined) this.#reportRule(session, rule);
  }

  #reportRule({ transport }: Session, { kind, afterMs, agreeing, seen }: EndRule): void {
    const { pingIntervalMs } = this.#hub.options;
    const { remoteAddress, name, headers } = transport.info;
    const seconds = Number((afterMs / 1000).toFixed(1));
    const fields = { transport: name, seconds, agreeing, seen };
    const facts = `${agreeing} of the last ${seen} connections that were cut through this address`;
    if (kind === 'age') {
      this.report(remoteAddress, 'lifetime_limit', {
        ...fields,
        message: `${facts} were ${seconds} s old: something on the way limits how long a connection may live, whatever passes over it. Raise that limit (Google Cloud: timeoutSec of the backend; Envoy: timeout of the route)`,
      });
    } else if (pingIntervalMs === 0 || afterMs < pingIntervalMs) {
      const pings = pingIntervalMs === 0 ? 'never' : `every ${pingIntervalMs / 1000} s`;
      const interval = Math.max(1, Math.floor(seconds / 2));
      this.report(remoteAddress, 'idle_timeout', {
        ...fields,
        message: `${facts} had been silent for ${seconds} s, and the server pings ${pings}: an idle timeout on the way is shorter than that. Raise it above two pings (${idleTimeoutOptions(headers)}), or set client.ping_interval to ${interval}s`,
      });
    }
  }

  #pattern(): EndPattern {
    return new EndPattern(this.#hub.options.pingIntervalMs);
  }

  #path(address: string): Path {
    let path = this.#paths.get(address);
    if (path === undefined) {
      forgetOldest(this.#paths);
      path = { ends: this.#pattern(), unheard: this.#pattern() };
      this.#paths.set(address, path);
    }
    return path;
  }
}

/** The machine at the other end of the request's TCP connection: a proxy, when there is one. */
export function addressOf({ socket }: IncomingMessage): string {
  return socket.remoteAddress ?? 'unknown';
}

function forgetOldest(memory: Set<string> | Map<string, unknown>): void {
  const [oldest] = memory.keys();
  if (memory.size >= maxRemembered && oldest !== undefined) memory.delete(oldest);
}

/** What caches add to requests of theirs, and no client of ours sends. */
const conditional = ['if-none-match', 'if-modified-since', 'if-range', 'range'] as const;

/** Pages of these may connect without TLS, although they came with it. */
const loopback = /^https:\/\/(?:localhost|127\.\d+\.\d+\.\d+|\[::1\])(?::\d+)?$/i;

function schemeProblem(
  { origin = '', forwarded, 'x-forwarded-proto': scheme }: IncomingHttpHeaders,
  isEncrypted: boolean,
): string | undefined {
  if (!/^https:/i.test(origin)) return undefined;
  if (scheme === 'http' || scheme === 'ws') {
    return 'a page of an https origin connected, but the proxy says X-Forwarded-Proto: http: TLS ends at another proxy before this one; let that one set X-Forwarded-Proto: https and this one keep it';
  }
  const isTold = scheme !== undefined || /\bproto=/i.test(forwarded ?? '');
  if (isTold || isEncrypted || loopback.test(origin)) return undefined;
  return 'a page of an https origin connected, which browsers allow over TLS only, and the proxy that ends TLS does not say so: let it set X-Forwarded-Proto: https (nginx: proxy_set_header X-Forwarded-Proto $scheme; HAProxy: http-request set-header X-Forwarded-Proto https if { ssl_fc })';
}
