import type { DoctorTarget } from './doctor-target.ts';
import { checkNames, pass, skip, type CheckName, type Finding } from './finding.ts';
import { judgeHandshake, printable } from './judge-handshake.ts';
import { judgeIdle, judgePings } from './judge-lifetime.ts';
import { judgeNetworkError } from './judge-network.ts';
import { judgeStream } from './judge-stream.ts';
import { probeDns, probeTcp, probeTls } from './probe-network.ts';
import { openProbeSocket, type ProbeMessage, type ProbeSocket } from './probe-socket.ts';
import { probeStream } from './probe-stream.ts';

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

/** Checks that make no sense before one of these has passed. */
const needed: readonly CheckName[] = ['dns', 'tcp', 'tls'];

/**
 * Examines a server from outside, one check after the other, and reports each. Opens at most
 * `connections` + 2 connections, and closes them all.
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
  readonly #sockets = new Set<ProbeSocket>();

  constructor(target: DoctorTarget, options: ExamineOptions, report: Report) {
    this.#target = target;
    this.#options = options;
    this.#report = report;
  }

  async run(): Promise<void> {
    const { timeoutMs } = this.#options;
    try {
      await this.#check('dns', () => probeDns(this.#target));
      await this.#check('tcp', () => probeTcp(this.#target, timeoutMs));
      await this.#check('tls', () => probeTls(this.#target, timeoutMs));
      if (needed.some((name) => this.findings.get(name)?.status === 'fail')) return;
      await this.#check('http', () => this.#http());
      await this.#webSocket();
      for (const kind of ['sse', 'http_stream'] as const) {
        await this.#check(kind, async () => {
          const { token } = this.#options;
          const given = { kind, timeoutMs, ...(token !== undefined && { token }) };
          return judgeStream(await probeStream(this.#target, given));
        });
      }
    } finally {
      for (const { webSocket } of this.#sockets) webSocket.terminate();
      for (const name of checkNames) {
        if (!this.findings.has(name)) this.#tell(name, skip('an earlier check failed'));
      }
    }
  }

  async #http(): Promise<Finding> {
    const { websocket } = this.#target;
    const response = await fetch(websocket.replace(/^ws/, 'http'), {
      redirect: 'manual',
      headers: { Accept: 'application/json' },
      signal: AbortSignal.timeout(this.#options.timeoutMs),
    });
    await response.body?.cancel();
    const by = response.headers.get('server');
    const age = response.headers.get('age');
    const evidence = `HTTP ${response.status}${by === null ? '' : `, Server: ${printable(by)}`}`;
    if (age === null && response.headers.get('x-cache')?.startsWith('HIT') !== true) {
      return pass(evidence);
    }
    return {
      status: 'warn',
      evidence: `${evidence}, Age: ${printable(age ?? '')}`,
      cause: 'A cache answered in place of the server.',
      mend: 'Exempt the paths of connections from the cache.',
    };
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
      await this.#check('message_size', () => this.#messageSize(socket));
    }
    await this.#check('compression', () => this.#compression());
    await this.#check('origin', () => this.#origin());
    await this.#check('parallel', () => this.#parallel());
    if (connected?.connect === undefined) {
      const why = skip('the server did not let the doctor in; give a --token');
      for (const name of ['latency', 'message_size', 'reconnect', 'idle', 'server_ping'] as const) {
        this.#tell(name, why);
      }
      return;
    }
    await this.#check('reconnect', () => this.#reconnect());
    await this.#stayIdle(connected.connect.ping);
  }

  async #upgrade(): Promise<ProbeSocket | undefined> {
    let socket: ProbeSocket | undefined;
    await this.#check('upgrade', async () => {
      const opened = await this.#open({});
      if ('webSocket' in opened) socket = opened;
      return judgeHandshake('webSocket' in opened ? opened.answer : opened);
    });
    return socket;
  }

  async #open(how: { readonly origin?: string; readonly compress?: boolean }) {
    const { timeoutMs } = this.#options;
    const opened = await openProbeSocket(this.#target.websocket, { timeoutMs, ...how });
    if ('webSocket' in opened) this.#sockets.add(opened);
    return opened;
  }

  #ask(socket: ProbeSocket, id: number, command: object): Promise<ProbeMessage | undefined> {
    socket.send({ id, ...command });
    return replyOf(socket, id, this.#options.timeoutMs);
  }

  #connectCommand(): object {
    const { token } = this.#options;
    return { connect: { name: 'holdfast-doctor', ...(token !== undefined && { token }) } };
  }

  async #connect(socket: ProbeSocket): Promise<ProbeMessage | undefined> {
    let reply: ProbeMessage | undefined;
    await this.#check('connect', async () => {
      reply = await this.#ask(socket, 1, this.#connectCommand());
      if (reply?.connect !== undefined) return pass('the server let the doctor in');
      const closed = await Promise.race([socket.closed, Promise.resolve(undefined)]);
      if (reply?.error !== undefined || (closed !== undefined && closed.code >= 3000)) {
        const said = reply?.error ?? { code: closed?.code ?? 0, message: 'connection closed' };
        const isOwn = this.#options.token !== undefined;
        return {
          status: isOwn ? 'fail' : 'warn',
          evidence: `the server answered: ${said.code} ${printable(said.message)}`,
          cause: isOwn
            ? 'The token was refused.'
            : 'The path works in both directions, but anonymous clients may not connect.',
          mend: isOwn
            ? 'holdfast token check says what is wrong with it.'
            : 'Give a token for the remaining checks: --token "$(holdfast token create --user doctor)"',
        };
      }
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
      if (!(await this.#ask(socket, id, { rpc: { method: 'ping' } }))) break;
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

  async #messageSize(socket: ProbeSocket): Promise<Finding> {
    const bytes = 60_000;
    const data = 'x'.repeat(bytes);
    if (await this.#ask(socket, 20, { rpc: { method: 'ping', data } })) {
      return pass(`a message of ${bytes} bytes passed`);
    }
    return {
      status: 'warn',
      evidence: `a message of ${bytes} bytes got no reply`,
      cause: 'websocket.message_size_limit, or a limit of a proxy, is below the default of 64 KiB.',
      mend: 'Raise it if clients send such messages.',
    };
  }

  async #compression(): Promise<Finding> {
    const opened = await this.#open({ compress: true });
    if (!('webSocket' in opened)) return judgeHandshake(opened);
    const { extensions } = opened.webSocket;
    opened.webSocket.terminate();
    return pass(extensions === '' ? 'not offered by the server' : printable(extensions));
  }

  async #origin(): Promise<Finding> {
    const { origin = this.#target.origin } = this.#options;
    const opened = await this.#open({ origin });
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
      Array.from({ length: connections }, () => this.#open({})),
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

  /** Cuts a connection without farewell and takes it up again. */
  async #reconnect(): Promise<Finding> {
    const { channel } = this.#options;
    const first = await this.#openConnected();
    if (first === undefined) return noReconnect;
    let position: ProbeMessage['subscribe'];
    if (channel !== undefined) {
      const reply = await this.#ask(first, 2, { subscribe: { channel, recoverable: true } });
      if (reply?.subscribe?.recoverable !== true) {
        return {
          status: 'warn',
          evidence: `${printable(channel)}: ${reply?.error === undefined ? 'not recoverable' : `${reply.error.code} ${printable(reply.error.message)}`}`,
          cause: 'The channel cannot be subscribed to with recovery.',
          mend: 'Name a channel with history, that allows recovery and that this user may subscribe to.',
        };
      }
      position = reply.subscribe;
    }
    const started = performance.now();
    first.webSocket.terminate();
    const second = await this.#openConnected();
    if (second === undefined) return noReconnect;
    const took = `back after ${(performance.now() - started).toFixed(0)} ms`;
    if (position === undefined || channel === undefined) {
      second.webSocket.terminate();
      return pass(`${took}; name a --channel to test recovery`);
    }
    const { epoch = '', offset = 0 } = position;
    const reply = await this.#ask(second, 2, {
      subscribe: { channel, recoverable: true, recover: true, epoch, offset },
    });
    second.webSocket.terminate();
    if (reply?.subscribe?.recovered === true) return pass(`${took}, everything missed recovered`);
    return {
      status: 'fail',
      evidence: `${took}, not recovered`,
      cause: 'The history of the channel was lost in between, or another node has another one.',
      mend: 'Look at history_size and history_ttl of the namespace, and whether several nodes share a broker.',
    };
  }

  async #openConnected(): Promise<ProbeSocket | undefined> {
    const opened = await this.#open({});
    if (!('webSocket' in opened)) return undefined;
    const reply = await this.#ask(opened, 1, this.#connectCommand());
    return reply?.connect === undefined ? undefined : opened;
  }

  /** Leaves a new connection alone; only pings of the server are answered. */
  async #stayIdle(pingIntervalSeconds: number | undefined): Promise<void> {
    const { idleSeconds } = this.#options;
    let socket: ProbeSocket | undefined;
    let watchedSeconds = 0;
    await this.#check('idle', async () => {
      socket = await this.#openConnected();
      if (socket === undefined) return noReconnect;
      const started = performance.now();
      const stop = new AbortController();
      const closed = await Promise.race([socket.closed, elapse(idleSeconds * 1000, stop.signal)]);
      stop.abort();
      watchedSeconds = (performance.now() - started) / 1000;
      return judgeIdle({
        askedSeconds: idleSeconds,
        endedAfterSeconds: closed && (closed.atMs - started) / 1000,
        pingIntervalSeconds,
        ...(closed && { closeCode: closed.code }),
      });
    });
    await this.#check('server_ping', async () =>
      judgePings({ seen: socket?.pings.count ?? 0, watchedSeconds, pingIntervalSeconds }),
    );
  }

  async #check(name: CheckName, look: () => Promise<Finding>): Promise<void> {
    let finding: Finding;
    try {
      finding = await look();
    } catch (error) {
      // fetch hides the error of the network behind one of its own.
      const inner = error instanceof Error && error.cause !== undefined ? error.cause : error;
      finding = judgeNetworkError(inner);
    }
    this.#tell(name, finding);
  }

  #tell(name: CheckName, finding: Finding): void {
    this.findings.set(name, finding);
    this.#report(name, finding);
  }
}

const noReconnect: Finding = {
  status: 'fail',
  evidence: 'a further connection was not accepted',
  cause: 'The first connection was, so that something limits them.',
  mend: 'Look at client.connection_limit, user_connection_limit and connection_rate_limit, and the limits of proxies.',
};

async function replyOf(
  socket: ProbeSocket,
  id: number,
  timeoutMs: number,
): Promise<ProbeMessage | undefined> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const message = await socket.next(deadline - performance.now());
    if (message === undefined || message.id === id) return message;
  }
}

function elapse(ms: number, signal: AbortSignal): Promise<undefined> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(undefined), ms);
    signal.addEventListener('abort', () => clearTimeout(timer));
  });
}
