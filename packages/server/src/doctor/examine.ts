import { checkHttp } from './check-http.ts';
import { checkHttp2 } from './check-http2.ts';
import { checkLifetime, type LifetimeFindings } from './check-lifetime.ts';
import { checkMessageSize } from './check-message-size.ts';
import { checkPolling } from './check-polling.ts';
import { checkReconnect } from './check-reconnect.ts';
import type { DoctorTarget } from './doctor-target.ts';
import { checkNames, pass, skip, type CheckName, type Finding } from './finding.ts';
import { judgeHandshake, printable } from './judge-handshake.ts';
import { judgeNetworkError } from './judge-network.ts';
import { judgeRefusal } from './judge-refusal.ts';
import { judgeStream } from './judge-stream.ts';
import { probeDns, probeTcp, probeTls } from './probe-network.ts';
import type { ProbeMessage, ProbeSocket } from './probe-socket.ts';
import { probeStream } from './probe-stream.ts';
import { Visitor } from './visitor.ts';

/** As whom, and how thoroughly, the doctor goes the way of a client. */
export interface ExamineOptions {
  /** Of a user that may connect; without it an anonymous connect is tried. */
  readonly token?: string;
  /** A channel with recovery that this user may subscribe to. */
  readonly channel?: string;
  /** A page's origin that must be allowed. @defaultValue the address itself, whose refusal only warns */
  readonly origin?: string;
  /** Seconds of silence to survive. */
  readonly idleSeconds: number;
  /** Connections opened at once. */
  readonly connections: number;
  /** For each wait. */
  readonly timeoutMs: number;
}

type Report = (name: CheckName, finding: Finding) => void;

/** Checks that only a client can make that was let in. */
const needsClient: readonly CheckName[] = [
  'latency',
  'message_size',
  'reconnect',
  'idle',
  'server_ping',
  'silence',
];

/**
 * Examines a server from outside, one check after the other, and reports each. Opens at most
 * `connections` + 6 connections at a time, and closes them all.
 */
export async function examine(
  target: DoctorTarget,
  options: ExamineOptions,
  report: Report,
): Promise<ReadonlyMap<CheckName, Finding>> {
  const examination = new Examination(target, options, report);
  await examination.run();
  return examination.findings;
}

class Examination {
  readonly findings = new Map<CheckName, Finding>();
  readonly #target: DoctorTarget;
  readonly #options: ExamineOptions;
  readonly #report: Report;
  readonly #visitor: Visitor;

  constructor(target: DoctorTarget, options: ExamineOptions, report: Report) {
    this.#target = target;
    this.#options = options;
    this.#report = report;
    this.#visitor = new Visitor(target, options);
  }

  async run(): Promise<void> {
    const { timeoutMs } = this.#options;
    try {
      if (!(await this.#check('dns', () => probeDns(this.#target)))) return;
      if (!(await this.#check('tcp', () => probeTcp(this.#target, timeoutMs)))) return;
      if (!(await this.#check('tls', () => probeTls(this.#target, timeoutMs)))) return;
      await this.#check('http', () => checkHttp(this.#visitor));
      await this.#check('http2', () => checkHttp2(this.#visitor));
      // It waits most of its time, so it does that beside the others.
      const polling = this.#polling();
      await this.#webSocket();
      for (const kind of ['sse', 'http_stream'] as const) {
        await this.#check(kind, async () => {
          const { token } = this.#options;
          const given = { kind, timeoutMs, ...(token !== undefined && { token }) };
          return judgeStream(await probeStream(this.#target, given));
        });
      }
      await this.#check('polling', () => polling);
    } finally {
      this.#visitor.leave();
      for (const name of checkNames) {
        if (!this.findings.has(name)) this.#tell(name, skip('an earlier check failed'));
      }
    }
  }

  #polling(): Promise<Finding> {
    const found = checkPolling(this.#visitor, this.#options.idleSeconds);
    // Whoever awaits it later gets the error; until then it is nobody's.
    found.catch(() => undefined);
    return found;
  }

  async #webSocket(): Promise<void> {
    const socket = await this.#upgrade();
    if (socket === undefined) return;
    await this.#check('subprotocol', async () => {
      if (socket.webSocket.protocol === 'centrifuge-json') return pass('centrifuge-json');
      return {
        status: 'warn',
        evidence: 'the server chose none',
        cause: 'The header Sec-WebSocket-Protocol does not pass, or another server answers.',
        mend: 'Let the proxy pass Sec-WebSocket-Protocol both ways.',
      };
    });
    const connected = await this.#connect(socket);
    if (connected?.connect !== undefined) {
      await this.#check('latency', () => this.#latency(socket));
      await this.#check('message_size', () => checkMessageSize(this.#visitor));
    }
    await this.#check('compression', () => this.#compression());
    await this.#check('origin', () => this.#origin());
    await this.#check('parallel', () => this.#parallel());
    if (connected?.connect === undefined) {
      const why = skip('the server did not let the doctor in; give a --token');
      for (const name of needsClient) {
        this.#tell(name, why);
      }
      return;
    }
    await this.#check('reconnect', () => checkReconnect(this.#visitor, this.#options.channel));
    let lifetime: LifetimeFindings | undefined;
    await this.#check('idle', async () => {
      lifetime = await checkLifetime(this.#visitor, this.#options.idleSeconds);
      return lifetime.idle;
    });
    if (lifetime === undefined) return;
    this.#tell('server_ping', lifetime.server_ping);
    this.#tell('silence', lifetime.silence);
  }

  async #upgrade(): Promise<ProbeSocket | undefined> {
    let socket: ProbeSocket | undefined;
    await this.#check('upgrade', async () => {
      const opened = await this.#visitor.open({});
      if ('webSocket' in opened) socket = opened;
      return judgeHandshake('webSocket' in opened ? opened.answer : opened);
    });
    return socket;
  }

  async #connect(socket: ProbeSocket): Promise<ProbeMessage | undefined> {
    let reply: ProbeMessage | undefined;
    await this.#check('connect', async () => {
      reply = await this.#visitor.connect(socket);
      if (reply?.connect !== undefined) return pass('the server let the doctor in');
      const closed = await Promise.race([socket.closed, Promise.resolve(undefined)]);
      const said =
        reply?.error ??
        (closed !== undefined && closed.code >= 3_000
          ? { code: closed.code, message: closed.reason }
          : undefined);
      if (said !== undefined) return judgeRefusal(said, this.#options.token !== undefined);
      return {
        status: 'fail',
        evidence: closed === undefined ? 'no reply' : `closed with ${closed.code}, no reply`,
        cause: 'The connection was accepted, but messages do not come through.',
        mend: 'Look for a proxy, virus scanner or firewall that inspects WebSocket frames.',
      };
    });
    return reply;
  }

  async #latency(socket: ProbeSocket): Promise<Finding> {
    const times: number[] = [];
    for (let id = 10; id < 15; id += 1) {
      const started = performance.now();
      // Any reply will do: that the method does not exist is one.
      if (!(await this.#visitor.ask(socket, { id, rpc: { method: 'ping' } }))) break;
      times.push(performance.now() - started);
    }
    const [best, , median = 0] = times.toSorted((a, b) => a - b);
    if (best === undefined) {
      return {
        status: 'fail',
        evidence: 'a command got no reply',
        cause: 'The first messages came through, and later ones do not.',
        mend: 'Look for a proxy that closes or stalls connections.',
      };
    }
    const evidence = `round trips of ${best.toFixed(1)} ms at best, ${median.toFixed(1)} ms typically`;
    if (median < 1_000) return pass(evidence);
    return {
      status: 'warn',
      evidence,
      cause: 'Replies take longer than networks do.',
      mend: "Look at the server's event loop (holdfast_event_loop metrics) and for proxies that collect data.",
    };
  }

  async #compression(): Promise<Finding> {
    const opened = await this.#visitor.open({ compress: true });
    if (!('webSocket' in opened)) return judgeHandshake(opened);
    const { extensions } = opened.webSocket;
    if (extensions === '') {
      opened.webSocket.terminate();
      return pass('not offered by the server');
    }
    // Long enough to be compressed, and its answer shows that it arrived as it was.
    const padding = { id: 1, connect: { ...this.#visitor.credentials, data: 'x'.repeat(4_096) } };
    const reply = await this.#visitor.ask(opened, padding);
    opened.webSocket.terminate();
    if (reply !== undefined) return pass(`${printable(extensions)}; a compressed message passed`);
    return {
      status: 'fail',
      evidence: `${printable(extensions)}; a compressed message got no reply`,
      cause: 'Something on the way does not let compressed messages through as they are.',
      mend: 'Look for a proxy or virus scanner that inspects WebSocket messages, or set websocket.compression: false.',
    };
  }

  async #origin(): Promise<Finding> {
    const { origin = this.#target.origin } = this.#options;
    const opened = await this.#visitor.open({ origin });
    if ('webSocket' in opened) {
      opened.webSocket.terminate();
      return pass(`${origin} is allowed`);
    }
    const found = judgeHandshake(opened);
    const isAsked = this.#options.origin !== undefined;
    return {
      ...found,
      status: isAsked ? 'fail' : 'warn',
      evidence: `${origin}: ${found.evidence}`,
    };
  }

  async #parallel(): Promise<Finding> {
    const { connections } = this.#options;
    const started = performance.now();
    const results = await Promise.allSettled(
      Array.from({ length: connections }, () => this.#visitor.open({})),
    );
    const seconds = ((performance.now() - started) / 1000).toFixed(1);
    let opened = 0;
    let problem: Finding | undefined;
    for (const result of results) {
      if (result.status === 'rejected') problem ??= judgeNetworkError(result.reason);
      else if ('webSocket' in result.value) {
        opened += 1;
        result.value.webSocket.terminate();
      } else problem ??= judgeHandshake(result.value);
    }
    const evidence = `${opened} of ${connections} opened in ${seconds} s`;
    if (problem === undefined) return pass(evidence);
    return { ...problem, status: 'fail', evidence: `${evidence}; ${problem.evidence}` };
  }

  /** @returns whether it did not fail */
  async #check(name: CheckName, look: () => Promise<Finding>): Promise<boolean> {
    let finding: Finding;
    try {
      finding = await look();
    } catch (error) {
      // fetch hides the error of the network behind one of its own.
      const inner = error instanceof Error && error.cause !== undefined ? error.cause : error;
      finding = judgeNetworkError(inner);
    }
    this.#tell(name, finding);
    return finding.status !== 'fail';
  }

  #tell(name: CheckName, finding: Finding): void {
    this.findings.set(name, finding);
    this.#report(name, finding);
  }
}
