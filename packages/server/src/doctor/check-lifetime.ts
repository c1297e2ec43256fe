import { skip, type Finding } from './finding.ts';
import { judgeIdle, judgePings, judgeSilence, type SilentConnection } from './judge-lifetime.ts';
import { noFurtherConnection } from './check-reconnect.ts';
import { openQuietStream } from './probe-stream.ts';
import type { Visitor } from './visitor.ts';

export interface LifetimeFindings {
  readonly idle: Finding;
  readonly server_ping: Finding;
  readonly silence: Finding;
}

/**
 * Leaves connections alone, all at the same time: one whose pings are answered, and two that asked
 * the server for none, whose ends show the timeouts on the way.
 */
export async function checkLifetime(
  visitor: Visitor,
  idleSeconds: number,
): Promise<LifetimeFindings> {
  const [kept, ...silent] = await Promise.all([
    watchKept(visitor, idleSeconds),
    watchQuietSocket(visitor, idleSeconds),
    watchQuietStream(visitor, idleSeconds),
  ]);
  if (kept === undefined) {
    const left = skip('a further connection was not accepted');
    return { idle: noFurtherConnection, server_ping: left, silence: left };
  }
  const { pings, watchedSeconds, pingIntervalSeconds } = kept;
  return {
    idle: judgeIdle({ ...kept, askedSeconds: idleSeconds }),
    server_ping: judgePings({ seen: pings, watchedSeconds, pingIntervalSeconds }),
    silence: judgeSilence({
      askedSeconds: idleSeconds,
      pingIntervalSeconds,
      connections: silent.filter((one) => one !== undefined),
    }),
  };
}

async function watchKept(visitor: Visitor, idleSeconds: number) {
  const socket = await visitor.openConnected();
  if (socket === undefined) return undefined;
  const started = performance.now();
  const closed = await within(socket.closed, idleSeconds);
  return {
    endedAfterSeconds: closed && (closed.atMs - started) / 1000,
    ...(closed && { closeCode: closed.code }),
    pings: socket.pings.count,
    watchedSeconds: (performance.now() - started) / 1000,
    pingIntervalSeconds: socket.reply.connect?.ping,
  };
}

/** A second more than is waited for, so that the server's pings do not begin before. */
const beyondSeconds = 1;

async function watchQuietSocket(
  visitor: Visitor,
  idleSeconds: number,
): Promise<SilentConnection | undefined> {
  const socket = await visitor.openConnected({ quietSeconds: idleSeconds + beyondSeconds });
  // A server that announces pings all the same does not know the question.
  if (socket === undefined || socket.reply.connect?.ping !== undefined) return undefined;
  const started = performance.now();
  const closed = await within(socket.closed, idleSeconds);
  return { kind: 'WebSocket', endedAfterSeconds: closed && (closed.atMs - started) / 1000 };
}

async function watchQuietStream(
  visitor: Visitor,
  idleSeconds: number,
): Promise<SilentConnection | undefined> {
  const { target, credentials: connect, timeoutMs } = visitor;
  const quietSeconds = idleSeconds + beyondSeconds;
  const stream = await openQuietStream(target, { connect, quietSeconds, timeoutMs });
  if (stream === undefined) return undefined;
  try {
    const started = performance.now();
    const endedAt = await within(stream.ended, idleSeconds);
    return {
      kind: 'SSE',
      endedAfterSeconds: endedAt === undefined ? undefined : (endedAt - started) / 1000,
    };
  } finally {
    stream.close();
  }
}

/** What the promise brings, or undefined when that takes longer. */
async function within<Value>(promise: Promise<Value>, seconds: number): Promise<Value | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const elapsed = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), seconds * 1000);
  });
  try {
    return await Promise.race([promise, elapsed]);
  } finally {
    clearTimeout(timer);
  }
}
