import type { Finding } from './finding.ts';

/** An HTTP answer where 101 was hoped for. */
export interface HandshakeAnswer {
  readonly status: number;
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string | undefined>>;
  /** The first kilobytes. */
  readonly body: string;
}

export interface Verdict {
  readonly cause: string;
  readonly mend: string;
}

const router =
  'Route the exact WebSocket path to the server; holdfast proxy-config prints how for each proxy.';

/** Says what an answer to a WebSocket handshake means. */
export function judgeHandshake(answer: HandshakeAnswer): Finding {
  const { status, headers } = answer;
  const by = headers.server === undefined ? '' : `, Server: ${printable(headers.server)}`;
  const evidence = `HTTP ${status}${by}`;
  if (status === 101) return judgeAccepted(answer, evidence);
  return { status: 'fail', evidence, ...(ownVerdict(answer) ?? foreignVerdict(answer)) };
}

function judgeAccepted({ headers }: HandshakeAnswer, evidence: string): Finding {
  const rescued = headers['x-holdfast-rescued'];
  if (rescued === undefined) return { status: 'pass', evidence };
  return {
    status: 'warn',
    evidence: `${evidence}, after the server rescued the handshake`,
    cause: `A proxy (${printable(rescued)}) removes the headers Upgrade and Connection of WebSocket handshakes.`,
    mend: `Let it pass them: holdfast proxy-config ${rescued === 'apache' ? 'apache' : 'nginx'} prints the lines; the server's log has them too.`,
  };
}

interface OwnAnswer {
  readonly error?: { readonly code?: unknown; readonly message?: unknown };
  readonly diagnosis?: { readonly cause?: unknown; readonly lines?: unknown };
}

/** For answers that the server itself gave: it says what is wrong. */
export function ownVerdict({ body }: HandshakeAnswer): Verdict | undefined {
  const own = parse(body);
  const code = own?.error?.code;
  const message = own?.error?.message;
  if (own === undefined || typeof code !== 'string' || typeof message !== 'string') {
    return undefined;
  }
  if (code === 'upgrade_stripped') {
    const { cause, lines } = own.diagnosis ?? {};
    const given = Array.isArray(lines) ? lines.filter((line) => typeof line === 'string') : [];
    return {
      cause: `The handshake reached the server without Upgrade: ${printable(String(cause))}.`,
      mend:
        given.length > 0
          ? ['Add to the configuration of that proxy:', ...given.map(printable)].join('\n')
          : router,
    };
  }
  const mend = printable(message);
  return {
    cause: `The server refused it (${printable(code)}).`,
    mend: mend.charAt(0).toUpperCase() + mend.slice(1),
  };
}

/** For answers of whatever stands before the server. */
export function foreignVerdict({ status, headers, body }: HandshakeAnswer): Verdict {
  const server = headers.server?.toLowerCase() ?? '';
  const isHtml = /html/.test(headers['content-type'] ?? '');
  if (headers['cf-mitigated'] !== undefined) {
    return {
      cause: 'Cloudflare answers with a challenge for people, which no WebSocket client can solve.',
      mend: 'Exempt the path of the WebSocket from bot protection.',
    };
  }
  switch (status) {
    case 200:
      if (server === 'caddy' && body === '') {
        return { cause: 'No site of Caddy has this host name.', mend: 'Add the name to the site.' };
      }
      return {
        cause: isHtml
          ? 'Something else answers this path with a page, such as the fallback of a web application.'
          : 'Something answers this path as an ordinary request and does not pass it to the server.',
        mend: router,
      };
    case 301:
    case 302:
    case 307:
    case 308:
      return {
        cause: `The path is redirected to ${printable(headers.location ?? 'nowhere')}, and WebSocket clients never follow.`,
        mend: 'Give clients the final address, with wss:// where it is https, or exempt the path.',
      };
    case 400:
      return /plain HTTP request was sent to HTTPS port/i.test(body)
        ? { cause: 'This port speaks TLS.', mend: 'Use https:// or wss:// in the address.' }
        : {
            cause: 'Something before the server takes the handshake for a bad request.',
            mend: `Look into the log of the proxy; it may not speak HTTP/1.1 to clients. ${router}`,
          };
    case 401:
      return {
        cause: 'A proxy asks for a password before the server is reached.',
        mend: 'Exempt the path; browsers cannot give a password to WebSocket.',
      };
    case 403:
      return {
        cause: 'A rule of a proxy or firewall forbids this path, the client or WebSocket as such.',
        mend: 'Allow the path, and upgrades to websocket, in the rules of the proxy or firewall.',
      };
    case 404:
      return { cause: 'The proxy has no rule for this path.', mend: router };
    case 405:
      return { cause: 'What answers this path does not take GET.', mend: router };
    case 413:
    case 431:
      return {
        cause: 'The headers are longer than the proxy takes.',
        mend: 'Raise its limit of header sizes, or send fewer cookies to this host.',
      };
    case 426:
      return {
        cause: 'A proxy or another server wants to upgrade, but not to WebSocket.',
        mend: router,
      };
    case 429:
      return { cause: 'A proxy limits how often clients connect.', mend: 'Raise that limit.' };
    case 502:
      return {
        cause: 'The proxy cannot reach the server: it is not running, or at another address.',
        mend: "Start the server, and compare the proxy's upstream with http_server.address and port; if it runs, look for exhausted ports ('Cannot assign requested address') in the proxy's log.",
      };
    case 503:
      return {
        cause: 'The proxy has no server that is up, or limits connections.',
        mend: "Look at the server's /ready and at the proxy's health checks and limits (limit_conn, limit_req, maxconn).",
      };
    case 504:
      return {
        cause: 'The proxy waited for the server until its own timeout.',
        mend: 'Look whether the server hangs or a firewall drops packets between the two.',
      };
    case 520:
    case 521:
    case 522:
    case 523:
    case 524:
      return {
        cause: 'Cloudflare cannot talk to the origin.',
        mend: 'Check that the origin runs and that its firewall lets Cloudflare in.',
      };
    default:
      return {
        cause: `Something before the server answers with ${status}.`,
        mend: `Look into the log of the proxy. ${router}`,
      };
  }
}

function parse(body: string): OwnAnswer | undefined {
  try {
    const parsed: unknown = JSON.parse(body);
    return typeof parsed === 'object' && parsed !== null ? parsed : undefined;
  } catch {
    return undefined;
  }
}

/** What a stranger sent, made fit for a terminal: no control characters, not endless. */
export function printable(text: string): string {
  return text.replaceAll(/[^\u0020-\u007E\u00A0-\uFFFF]/g, '?').slice(0, 600);
}
