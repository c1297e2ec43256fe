import type { TransportName } from './connection-state.ts';
import type { Endpoint } from './options.ts';

/** One thing that was tried, and what it showed. */
export interface DiagnosisCheck {
  readonly name: 'network' | 'page' | TransportName;
  readonly result: 'pass' | 'fail';
  /** What was seen, in words. */
  readonly evidence: string;
}

export interface Diagnosis {
  readonly result: 'pass' | 'fail';
  /** The most likely cause, in one sentence. */
  readonly cause: string;
  /** What to do about it. Empty when nothing is wrong. */
  readonly mend: string;
  readonly checks: readonly DiagnosisCheck[];
}

export interface DiagnoseOptions {
  readonly endpoints: readonly Endpoint[];
  /** @defaultValue the platform's own */
  readonly fetch?: typeof globalThis.fetch;
  /** @defaultValue true unless the platform says otherwise */
  readonly isOnline?: boolean;
  /** The page's protocol. @defaultValue that of `location` */
  readonly pageProtocol?: string;
  /** Time for each request. @defaultValue 8000 */
  readonly timeoutMs?: number;
}

interface Finding extends DiagnosisCheck {
  /** Nothing could be read: a finding that could says more. */
  readonly isVague?: boolean;
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
 * the same addresses are asked over plain HTTP, whose answers can be read. Only GET requests without
 * credentials are sent: one for each endpoint, and a second one where the first cannot be read.
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
  const failure = failures.find(({ isVague }) => isVague !== true) ?? failures[0];
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

async function examine(
  { transport, endpoint }: Endpoint,
  { fetch = globalThis.fetch, timeoutMs = 8_000 }: DiagnoseOptions,
): Promise<Finding> {
  const base = { name: transport };
  let answer: Answer;
  try {
    const response = await fetch(endpoint.replace(/^ws/, 'http'), {
      cache: 'no-store',
      credentials: 'omit',
      signal: AbortSignal.timeout(timeoutMs),
    });
    answer = await read(response);
  } catch (error) {
    const isThere = await answersAtAll(endpoint, { fetch, timeoutMs });
    return { ...base, ...unreachable(error as Error, { isThere, timeoutMs }), isVague: true };
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
  const error = errorOf(text);
  return {
    status,
    code: error?.code,
    message: error?.message ?? '',
    isHtml: type.includes('html'),
    isRedirected: redirected,
  };
}

function errorOf(text: string): { readonly code: string; readonly message: string } | undefined {
  try {
    const { error } = JSON.parse(text) as {
      readonly error?: { code?: unknown; message?: unknown };
    };
    if (typeof error?.code !== 'string' || typeof error.message !== 'string') return undefined;
    return { code: error.code, message: error.message };
  } catch {
    return undefined;
  }
}

type Judgement = Pick<Finding, 'result' | 'evidence' | 'cause' | 'mend'>;

function fail(evidence: string, cause: string, mend: string): Judgement {
  return { result: 'fail', evidence, cause, mend };
}

/** Whether something answers, even if the page may not read what. */
async function answersAtAll(
  endpoint: string,
  { fetch, timeoutMs }: { fetch: typeof globalThis.fetch; timeoutMs: number },
): Promise<boolean> {
  try {
    const response = await fetch(endpoint.replace(/^ws/, 'http'), {
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
  { isThere, timeoutMs }: { isThere: boolean; timeoutMs: number },
): Judgement {
  if (isThere) {
    return fail(
      'something answers, but does not let this page read the answer',
      'the answer comes from something other than Holdfast, or from one that does not know the origin of this page',
      'add the origin of the page to client.allowed_origins, and look whether a proxy answers by itself',
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
    'open the address in a tab of its own: if an answer comes, add the server to connect-src of the policy; if none comes, start there',
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
