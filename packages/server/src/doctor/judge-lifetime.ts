import type { Finding } from './finding.ts';

export interface IdleObservation {
  /** Seconds for which the connection was left alone. */
  readonly askedSeconds: number;
  /** Seconds after which it ended; undefined when it did not. */
  readonly endedAfterSeconds: number | undefined;
  /** Close code, 1006 when there was no close frame. */
  readonly closeCode?: number;
  /** Announced by the server; undefined or 0 for none. */
  readonly pingIntervalSeconds: number | undefined;
}

/** Timeouts that are known for their length. */
const wellKnown: readonly (readonly [seconds: number, whose: string])[] = [
  [15, "Envoy's default limit of a route"],
  [30, "a Google Cloud load balancer's backend timeout"],
  [55, "Heroku's idle timeout"],
  [60, 'the default of nginx, Apache and AWS load balancers'],
  [100, "Cloudflare's idle timeout"],
  [350, "an AWS network load balancer's idle timeout"],
];

/** Says what it means that a silent connection lived or ended. */
export function judgeIdle(observation: IdleObservation): Finding {
  const { askedSeconds, endedAfterSeconds, closeCode, pingIntervalSeconds = 0 } = observation;
  if (endedAfterSeconds === undefined) {
    return { status: 'pass', evidence: `open after ${askedSeconds} s` };
  }
  const evidence = `ended after ${endedAfterSeconds.toFixed(1)} s with code ${closeCode ?? 1006}`;
  if (closeCode !== undefined && closeCode !== 1006) {
    return {
      status: 'warn',
      evidence,
      cause: 'The connection was closed in order, by the server or by a proxy that restarts.',
      mend: 'Look at the code in the protocol notes, and whether something was deployed just now.',
    };
  }
  const pings = pingIntervalSeconds > 0 ? `every ${pingIntervalSeconds} s` : 'never';
  return {
    status: 'fail',
    evidence,
    cause: `${capital(timeoutOf(endedAfterSeconds))}, and the server pings ${pings}.`,
    mend: raiseTimeout(endedAfterSeconds),
  };
}

export interface SilentConnection {
  readonly kind: 'WebSocket' | 'SSE';
  /** Seconds after which it ended; undefined when it did not. */
  readonly endedAfterSeconds: number | undefined;
}

/** Says how long connections live over which nothing passes, not even pings, and what that leaves. */
export function judgeSilence({
  askedSeconds,
  pingIntervalSeconds = 0,
  connections,
}: {
  readonly askedSeconds: number;
  readonly pingIntervalSeconds: number | undefined;
  readonly connections: readonly SilentConnection[];
}): Finding {
  if (connections.length === 0) {
    return { status: 'skip', evidence: 'the server does not leave connections without pings' };
  }
  const evidence = connections
    .map(({ kind, endedAfterSeconds: seconds }) =>
      seconds === undefined
        ? `${kind}: open after ${askedSeconds} s`
        : `${kind}: ended after ${seconds.toFixed(1)} s`,
    )
    .join('; ');
  const shortest = Math.min(...connections.map(({ endedAfterSeconds: end }) => end ?? Infinity));
  // So that a ping that comes late does not cost a connection. Not two whole ones: the doctor begins to
  // count a little after the proxy.
  if (shortest === Infinity || (pingIntervalSeconds > 0 && shortest >= 1.5 * pingIntervalSeconds)) {
    return { status: 'pass', evidence };
  }
  const pings = pingIntervalSeconds > 0 ? `every ${pingIntervalSeconds} s` : 'never';
  const isShorter = pingIntervalSeconds === 0 || shortest <= pingIntervalSeconds;
  return {
    status: isShorter ? 'fail' : 'warn',
    evidence,
    cause: `${capital(timeoutOf(shortest))}, and the server pings ${pings}${isShorter ? '' : ': one ping that comes late, and the connection is gone'}.`,
    mend: raiseTimeout(shortest),
  };
}

function timeoutOf(endedAfterSeconds: number): string {
  const seconds = Math.max(1, Math.round(endedAfterSeconds));
  const [, whose] = wellKnown.find(([known]) => Math.abs(known - seconds) <= 1) ?? [];
  return `something on the path ends connections that are silent for ${seconds} s${whose === undefined ? '' : ` (${whose})`}`;
}

function raiseTimeout(endedAfterSeconds: number): string {
  const seconds = Math.max(1, Math.floor(Math.round(endedAfterSeconds) / 2));
  return `Raise that timeout above two pings (nginx: proxy_read_timeout; HAProxy: timeout tunnel for WebSocket, timeout server for streams; Apache: timeout= of ProxyPass), or set client.ping_interval to at most ${seconds}s.`;
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** Says whether the server's pings come through. */
export function judgePings({
  seen,
  watchedSeconds,
  pingIntervalSeconds = 0,
}: {
  readonly seen: number;
  readonly watchedSeconds: number;
  readonly pingIntervalSeconds: number | undefined;
}): Finding {
  if (pingIntervalSeconds === 0) {
    return {
      status: 'warn',
      evidence: 'the server announces no pings',
      cause: 'client.ping_interval is off, so that dead connections are found late.',
      mend: 'Set client.ping_interval, to 25s for most proxies.',
    };
  }
  if (seen > 0) return { status: 'pass', evidence: `${seen} in ${watchedSeconds.toFixed(0)} s` };
  const evidence = `none in ${watchedSeconds.toFixed(0)} s; announced every ${pingIntervalSeconds} s`;
  // Some patience beyond the interval: both ends measure it with their own clocks.
  if (watchedSeconds < pingIntervalSeconds + 2) {
    return { status: 'skip', evidence: `${evidence}; look longer with --idle` };
  }
  return {
    status: 'fail',
    evidence,
    cause: 'Frames from the server do not arrive although the connection is open.',
    mend: 'Look for a proxy or virus scanner that holds back WebSocket frames.',
  };
}
