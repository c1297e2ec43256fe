import type { TransportName } from './connection-state.ts';
import {
  deferCloseOf,
  type EngineSocket,
  type WebSocketConstructor,
} from './deferred-close-socket.ts';
import { errorAnswer } from './error-answer.ts';
import type { Endpoint } from './options.ts';

/** One thing that was tried, and what it showed. */
export interface DiagnosisCheck {
  readonly name: 'network' | 'page' | TransportName;
  readonly result: 'pass' | 'fail';
  /** What was seen, in words. */
  readonly evidence: string;
}

/** What was found between here and the server, in words. */
export interface Diagnosis {
  readonly result: 'pass' | 'fail';
  /** The most likely cause, in one sentence. */
  readonly cause: string;
  /** What to do about it. Empty when nothing is wrong. */
  readonly mend: string;
  readonly checks: readonly DiagnosisCheck[];
}

/** What is examined, and with what. */
export interface DiagnoseOptions {
  readonly endpoints: readonly Endpoint[];
  /** @defaultValue the platform's own */
  readonly fetch?: typeof globalThis.fetch;
  /** WebSocket class. @defaultValue the platform's own */
  readonly webSocket?: unknown;
  /** @defaultValue true unless the platform says otherwise */
  readonly isOnline?: boolean;
  /** The page's protocol. @defaultValue that of `location` */
  readonly pageProtocol?: string;
  /** Time for each request. @defaultValue 8000 */
  readonly timeoutMs?: number;
}

const defaultTimeoutMs = 8_000;

/** How much a finding says: an answer that was read more than one that was not, which says hardly anything. */
const weights = { read: 2, inferred: 1, unreadable: 0 } as const;

interface Finding extends DiagnosisCheck {
  /** @defaultValue 'read' */
  readonly weight?: keyof typeof weights;
  readonly cause: string;
  readonly mend: string;
}

interface Answer {
  readonly status: number;
  readonly code: string | undefined;
  readonly message: string;
  readonly isHtml: boolean;
  readonly isRedirected: boolean;
}

/**
 * The browser's half of the doctor. A browser tells a page nothing about a WebSocket that failed, so
 * the same addresses are asked over plain HTTP, whose answers can be read: one GET request without
 * credentials for each endpoint, and a second one where the first cannot be read. Whether handshakes
 * get through too, one shows, over which nothing is sent. That a stream is collected on its way only
 * `holdfast doctor` can tell, and the client, which leaves it for the next transport.
 */
export async function diagnose(options: DiagnoseOptions): Promise<Diagnosis> {
  const scope = globalThis as {
    readonly navigator?: { readonly onLine?: boolean };
    readonly location?: { readonly protocol: string };
  };
  const { isOnline = scope.navigator?.onLine !== false, pageProtocol = scope.location?.protocol } =
    options;
  if (!isOnline) {
    return conclude([
      {
        name: 'network',
        result: 'fail',
        evidence: 'the device says that it has no network',
        cause: 'this device is offline',
        mend: 'connect it to a network; the client comes back by itself',
      },
    ]);
  }
  const insecure = options.endpoints.find(({ endpoint }) => /^(?:ws|http):/.test(endpoint));
  if (pageProtocol === 'https:' && insecure !== undefined) {
    return conclude([
      {
        name: 'page',
        result: 'fail',
        evidence: `the page came over https, and ${insecure.transport} would go unencrypted`,
        cause: 'browsers refuse unencrypted connections from an encrypted page (mixed content)',
        mend: 'serve Holdfast over TLS and give the client its https URL',
      },
    ]);
  }
  return conclude(
    await Promise.all(options.endpoints.map((endpoint) => examine(endpoint, options))),
  );
}

function conclude(findings: readonly Finding[]): Diagnosis {
  const checks = findings.map(({ name, result, evidence }) => ({ name, result, evidence }));
  const failures = findings.filter(({ result }) => result === 'fail');
  const [failure] = failures.toSorted(
    (one, other) => weights[other.weight ?? 'read'] - weights[one.weight ?? 'read'],
  );
  if (failure === undefined) {
    return {
      result: 'pass',
      cause: 'every endpoint answers as it should',
      mend: '',
      checks,
    };
  }
  return { result: 'fail', cause: failure.cause, mend: failure.mend, checks };
}

async function examine(endpoint: Endpoint, options: DiagnoseOptions): Promise<Finding> {
  const { webSocket = globalThis.WebSocket, timeoutMs = defaultTimeoutMs } = options;
  if (endpoint.transport !== 'websocket' || webSocket === undefined) return ask(endpoint, options);
  const [finding, isOpened] = await Promise.all([
    ask(endpoint, options),
    opens(endpoint.endpoint, { webSocket: webSocket as WebSocketConstructor, timeoutMs }),
  ]);
  if (isOpened) return { name: 'websocket', ...healthy('the handshake succeeds') };
  return finding.result === 'fail' ? finding : { ...finding, ...unopened(finding) };
}

/** Whether a handshake succeeds. */
async function opens(
  url: string,
  { webSocket, timeoutMs }: { webSocket: WebSocketConstructor; timeoutMs: number },
): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const Socket = deferCloseOf(webSocket, () => resolve(false));
  let socket: EngineSocket;
  try {
    socket = new Socket(url);
  } catch {
    return false;
  }
  Object.assign(socket, { onopen: () => resolve(true) });
  const timer = setTimeout(() => resolve(false), timeoutMs);
  const isOpened = await promise;
  clearTimeout(timer);
  socket.close();
  return isOpened;
}

function unopened({ evidence }: Finding): Omit<Finding, 'name'> {
  return {
    ...fail(
      `${evidence} to a request, but no handshake succeeds`,
      'requests reach the server and handshakes of WebSocket do not: a proxy on the way removes their headers (Upgrade, Connection) or answers them itself',
      'let the proxy pass them on: `holdfast proxy-config` prints its configuration, and the log of the server names what arrives; until then the client uses the next transport',
    ),
    weight: 'inferred',
  };
}

/** Asks an endpoint over plain HTTP. */
async function ask(
  { transport, endpoint }: Endpoint,
  { fetch = globalThis.fetch, timeoutMs = defaultTimeoutMs }: DiagnoseOptions,
): Promise<Finding> {
  const base = { name: transport };
  const address = endpoint.replace(/^ws/, 'http');
  let answer: Answer;
  try {
    const response = await fetch(address, {
      cache: 'no-store',
      credentials: 'omit',
      signal: AbortSignal.timeout(timeoutMs),
    });
    answer = await read(response);
  } catch (error) {
    const isThere = await answersAtAll(address, { fetch, timeoutMs });
    const judgement = unreachable(error as Error, { address, isThere, timeoutMs });
    return { ...base, ...judgement, weight: 'unreadable' };
  }
  return { ...base, ...judge(transport, answer) };
}

async function read(response: Response): Promise<Answer> {
  const { status, redirected, headers } = response;
  const type = headers.get('content-type') ?? '';
  // An endpoint that streams is there; its stream is not waited for.
  if (type.includes('event-stream')) {
    await response.body?.cancel();
    return { status, code: undefined, message: '', isHtml: false, isRedirected: redirected };
  }
  const text = (await response.text()).slice(0, 2_000);
  const error = errorAnswer(text);
  return {
    status,
    code: error?.code,
    message: error?.message ?? '',
    isHtml: type.includes('html'),
    isRedirected: redirected,
  };
}

type Judgement = Pick<Finding, 'result' | 'evidence' | 'cause' | 'mend'>;

function fail(evidence: string, cause: string, mend: string): Judgement {
  return { result: 'fail', evidence, cause, mend };
}

/** Whether something answers, even if the page may not read what. */
async function answersAtAll(
  address: string,
  { fetch, timeoutMs }: { fetch: typeof globalThis.fetch; timeoutMs: number },
): Promise<boolean> {
  try {
    const response = await fetch(address, {
      mode: 'no-cors',
      cache: 'no-store',
      credentials: 'omit',
      signal: AbortSignal.timeout(timeoutMs),
    });
    await response.body?.cancel();
    return true;
  } catch {
    return false;
  }
}

function unreachable(
  { name }: Error,
  {
    address,
    isThere,
    timeoutMs,
  }: { readonly address: string; readonly isThere: boolean; readonly timeoutMs: number },
): Judgement {
  if (isThere) {
    return fail(
      'something answers, but does not let this page read the answer',
      'something other than Holdfast answers: a proxy whose server is down, a sign-in, or another site at a wrong address',
      `open ${address} in a tab of its own: what it shows says who answers`,
    );
  }
  if (name === 'TimeoutError' || name === 'AbortError') {
    return fail(
      `no answer within ${timeoutMs} ms`,
      'something between this device and the server takes requests and does not answer them',
      'look at the proxy in front of the server; run `holdfast doctor` from outside',
    );
  }
  return fail(
    'nothing answers',
    'the server is down, its name or its certificate is wrong, or the Content-Security-Policy of the page forbids the connection',
    `open ${address} in a tab of its own: if an answer comes, add the server to connect-src of the policy; if none comes, start there`,
  );
}

function judge(transport: Endpoint['transport'], answer: Answer): Judgement {
  const { status, code, message, isHtml, isRedirected } = answer;
  const evidence = `HTTP ${status}${code === undefined ? '' : ` ${code}`}`;
  if (isRedirected) {
    return fail(
      `${evidence} after a redirect`,
      'the address is redirected, which WebSocket never follows',
      'give the client the address that the redirect leads to',
    );
  }
  if (code !== undefined) return judgeOwnAnswer(transport, { evidence, code, message });
  if (transport === 'sse' && status === 200 && !isHtml) return healthy(evidence);
  if (status === 401) {
    return fail(
      evidence,
      'a proxy asks for a sign-in before it lets anything through to the server',
      'exempt the endpoints of Holdfast from it: they check tokens of their own',
    );
  }
  if (status === 429 || status === 503) {
    return fail(
      evidence,
      'a proxy limits connections or requests, or the server behind it is not up',
      'raise the limit of the proxy, or look at the server’s log',
    );
  }
  if (status === 502 || status === 504 || (status >= 520 && status <= 530)) {
    return fail(
      evidence,
      'the proxy does not get an answer from the server behind it',
      'check that Holdfast runs, and the address that the proxy forwards to',
    );
  }
  return fail(
    isHtml ? `${evidence}, a web page` : evidence,
    'something other than Holdfast answers at this address',
    'route the path of this endpoint to Holdfast, with its whole path kept',
  );
}

function judgeOwnAnswer(
  transport: Endpoint['transport'],
  { evidence, code, message }: { evidence: string; code: string; message: string },
): Judgement {
  if (code === 'origin_not_allowed') {
    return fail(
      evidence,
      'the server does not allow connections from this page’s origin',
      `add the page’s origin to client.allowed_origins (${message})`,
    );
  }
  if (code === 'not_found') {
    return fail(
      evidence,
      'Holdfast answers, but has no such endpoint',
      'use the server’s path: a proxy may have added or cut a prefix',
    );
  }
  // A plain request is no handshake: that the server says so shows that it is there.
  if (transport === 'websocket' ? code === 'upgrade_required' : code.length > 0) {
    return healthy(evidence);
  }
  return fail(evidence, `the server refuses: ${message}`, 'do what its message says');
}

function healthy(evidence: string): Judgement {
  return { result: 'pass', evidence, cause: '', mend: '' };
}
