import { type Finding, pass, skip } from './finding.ts';
import { type HandshakeAnswer, ownVerdict } from './judge-handshake.ts';
import { judgeRoute } from './judge-stream.ts';

/** A command that was sent beside a waiting poll. Times in milliseconds since it was. */
export interface CommandObservation {
  /** How long the poll asked the server to wait. */
  readonly waitMs: number;
  readonly timeoutMs: number;
  /** HTTP status of the command; undefined when it got no answer. */
  readonly status: number | undefined;
  readonly takenAfterMs: number;
  /** When its reply came with a poll; undefined when it did not. */
  readonly replyAfterMs: number | undefined;
  /** Whether an answer came that belongs to an earlier request. */
  readonly isStale: boolean;
}

/** A poll while there was nothing to say. */
export interface PatienceObservation {
  readonly askedSeconds: number;
  readonly endedAfterSeconds: number;
  readonly isAnswered: boolean;
}

/** Slower than any network, and than any server should be. */
const slowMs = 1_000;

/** What is wrong with the answer that opens a connection; undefined when it is as it should be. */
export function judgeOpening(
  answer: (HandshakeAnswer & { readonly batch: object | undefined }) | undefined,
  { timeoutMs, isLetIn }: { readonly timeoutMs: number; readonly isLetIn: boolean },
): Finding | undefined {
  if (answer === undefined) {
    return {
      status: 'fail',
      evidence: `no answer in ${timeoutMs} ms`,
      cause: 'Requests to this path are taken and not answered, or their answers are held back.',
      mend: 'Look for a proxy that has another server for this path, and for one that inspects bodies.',
    };
  }
  const { status, batch } = answer;
  if (status !== 200) {
    const own = status === 404 ? undefined : ownVerdict(answer);
    if (own === undefined) return judgeRoute(answer);
    return { status: 'fail', evidence: `HTTP ${status}`, ...own };
  }
  if (batch === undefined) {
    return {
      status: 'fail',
      evidence: 'HTTP 200 with something else than an answer of the server',
      cause:
        'Something else answers this path, or changes answers or cuts them short on their way.',
      mend: 'Route this path to the server, and exempt it from whatever rewrites bodies.',
    };
  }
  return isLetIn ? undefined : skip('the server answers, but did not let the doctor in');
}

/** What is wrong with the way of a command and its reply; undefined when nothing is. */
export function judgeCommand(observation: CommandObservation): Finding | undefined {
  const { waitMs, timeoutMs, status, takenAfterMs, replyAfterMs, isStale } = observation;
  if (isStale) {
    return {
      status: 'fail',
      evidence: 'a request was answered with what belongs to an earlier one',
      cause: 'A cache answered a POST in place of the server, although every answer says no-store.',
      mend: 'Exempt the paths of connections from the cache (nginx: proxy_cache off, no proxy_cache_methods POST; CDN: a rule that bypasses the cache).',
    };
  }
  if (status !== undefined && status !== 204) {
    return {
      status: 'fail',
      evidence: `the command beside a waiting poll: HTTP ${status}`,
      cause: 'A request is refused while another one of the same client waits.',
      mend: 'Raise the limits of connections and requests for each client (nginx: limit_conn, limit_req).',
    };
  }
  if (status === undefined || takenAfterMs >= 0.8 * waitMs) {
    return {
      status: 'fail',
      evidence: `the command beside a waiting poll: ${status === undefined ? `no answer in ${timeoutMs} ms` : `taken after ${Math.round(takenAfterMs)} ms`}`,
      cause:
        'A request waits until another one of the same client is answered, or until it may go on.',
      mend: 'Look for limits of the rate of requests (nginx: limit_req) and for proxies that pass one request of a client at a time.',
    };
  }
  if (replyAfterMs === undefined || replyAfterMs >= 0.8 * waitMs) {
    return {
      status: 'fail',
      evidence: `the command was taken; its reply ${replyAfterMs === undefined ? `did not come in ${timeoutMs} ms` : `came after ${Math.round(replyAfterMs)} ms`}`,
      cause: 'Answers are held back although they are whole.',
      mend: 'Look for a proxy, virus scanner or firewall that inspects the bodies of answers, and exempt this path.',
    };
  }
  return undefined;
}

/** Says what clients have of a connection that works. */
export function judgePatience(
  { askedSeconds, endedAfterSeconds, isAnswered }: PatienceObservation,
  { replyAfterMs = 0 }: CommandObservation,
): Finding {
  const seconds = endedAfterSeconds.toFixed(1);
  const reply = `a reply after ${Math.round(replyAfterMs)} ms`;
  if (!isAnswered) {
    return {
      status: 'warn',
      evidence: `${reply}; a poll of ${askedSeconds} s was cut after ${seconds} s`,
      cause:
        'Something on the path waits less long for an answer. Clients notice, and ask for shorter polls from then on.',
      mend: 'Raise that timeout (nginx: proxy_read_timeout; HAProxy: timeout server), or set polling.poll_timeout below it.',
    };
  }
  const evidence = `${reply}; a poll was answered after ${seconds} s`;
  if (replyAfterMs < slowMs) return pass(evidence);
  return {
    status: 'warn',
    evidence,
    cause: 'Requests or answers are slowed down on their way.',
    mend: 'Look for limits of the rate of requests (nginx: limit_req), and for proxies that inspect bodies.',
  };
}
