import { pass, type Finding } from './finding.ts';
import type { ProbeSocket } from './probe-socket.ts';
import type { Visitor } from './visitor.ts';

/** What every server takes that is set up as usual, in bytes. */
const usualBytes = 60_000;
/** No larger message is tried. */
const largestBytes = 1_048_576;
/** The limit is found this exactly. */
const exactBytes = 1_024;
/** Messages without an answer cost a wait each. */
const maxSilences = 3;
const silenceMs = 2_000;
/** The code of a message that is too big (RFC 6455 §7.4.1). */
const tooBig = 1009;

export interface SizeLimit {
  /** The largest message that passed. */
  readonly passedBytes: number;
  /** The smallest that did not; undefined when all that were tried passed. */
  readonly failedBytes: number | undefined;
  /** Whether a message ended the connection with the code for too long ones. */
  readonly isRefused: boolean;
}

/** Looks for the largest message that passes: each that does not costs a connection. */
export async function checkMessageSize(visitor: Visitor): Promise<Finding> {
  const trial = new SizeTrial(visitor);
  try {
    return judgeMessageSize(await findLimit(trial));
  } finally {
    trial.end();
  }
}

async function findLimit(trial: SizeTrial): Promise<SizeLimit> {
  let passedBytes = 0;
  let failedBytes: number | undefined;
  for (const bytes of [usualBytes, largestBytes / 4, largestBytes]) {
    if (await trial.passes(bytes)) passedBytes = bytes;
    else {
      failedBytes = bytes;
      break;
    }
  }
  while (
    failedBytes !== undefined &&
    failedBytes - passedBytes > exactBytes &&
    trial.silences < maxSilences
  ) {
    const middle = Math.floor((passedBytes + failedBytes) / 2);
    if (await trial.passes(middle)) passedBytes = middle;
    else failedBytes = middle;
  }
  return { passedBytes, failedBytes, isRefused: trial.isRefused };
}

/** Sends messages one after the other, over a new connection after each that did not pass. */
class SizeTrial {
  /** Messages after which nothing came at all. */
  silences = 0;
  isRefused = false;
  readonly #visitor: Visitor;
  #socket: ProbeSocket | undefined;
  #id = 100;

  constructor(visitor: Visitor) {
    this.#visitor = visitor;
  }

  async passes(bytes: number): Promise<boolean> {
    this.#socket ??= await this.#visitor.openConnected();
    const socket = this.#socket;
    if (socket === undefined) return false;
    this.#id += 1;
    const waitMs = Math.min(this.#visitor.timeoutMs, silenceMs);
    // Any reply will do: that the method does not exist is one.
    const reply = await this.#visitor.ask(socket, commandOf(this.#id, bytes), waitMs);
    if (reply !== undefined) return true;
    const closed = await Promise.race([socket.closed, Promise.resolve(undefined)]);
    if (closed === undefined) this.silences += 1;
    if (closed?.code === tooBig) this.isRefused = true;
    this.end();
    return false;
  }

  end(): void {
    this.#socket?.webSocket.terminate();
    this.#socket = undefined;
  }
}

/** A command that is this long as a message. */
function commandOf(id: number, bytes: number) {
  const empty = { id, rpc: { method: 'ping', data: '' } };
  const data = 'x'.repeat(bytes - JSON.stringify(empty).length);
  return { id, rpc: { method: 'ping', data } };
}

/** Says what a limit of messages means. */
export function judgeMessageSize({ passedBytes, failedBytes, isRefused }: SizeLimit): Finding {
  const most = `a message of ${passedBytes} bytes passed`;
  if (failedBytes === undefined) return pass(`${most}, no larger one was tried`);
  const evidence = `${passedBytes === 0 ? 'no message passed' : most}, one of ${failedBytes} ${isRefused ? 'was refused by the server' : 'did not'}`;
  if (isRefused && passedBytes >= usualBytes) return pass(evidence);
  if (isRefused) {
    return {
      status: 'warn',
      evidence,
      cause: 'websocket.message_size_limit is below the default of 64 KiB.',
      mend: 'Raise it if clients send such messages.',
    };
  }
  return {
    status: passedBytes >= usualBytes ? 'warn' : 'fail',
    evidence,
    cause:
      'Longer messages are lost or end the connection, and it is not the server that refuses them.',
    mend: 'Look for a limit of a proxy, firewall or virus scanner that inspects WebSocket messages, and for a path that loses large packets (MTU).',
  };
}
