import { pass, type Finding } from './finding.ts';
import { printable } from './judge-handshake.ts';
import type { ProbeMessage } from './probe-socket.ts';
import type { Visitor } from './visitor.ts';

/** For checks that need one more connection, and did not get it. */
export const noFurtherConnection: Finding = {
  status: 'fail',
  evidence: 'a further connection was not accepted',
  cause: 'The first connection was, so that something limits them.',
  mend: 'Look at client.connection_limit, user_connection_limit and connection_rate_limit, and the limits of proxies.',
};

/** Cuts a connection without farewell and takes it up again, with recovery where there is a channel. */
export async function checkReconnect(
  visitor: Visitor,
  channel: string | undefined,
): Promise<Finding> {
  const first = await visitor.openConnected();
  if (first === undefined) return noFurtherConnection;
  let position: ProbeMessage['subscribe'];
  if (channel !== undefined) {
    const reply = await visitor.ask(first, { id: 2, subscribe: { channel, recoverable: true } });
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
  const second = await visitor.openConnected();
  if (second === undefined) return noFurtherConnection;
  const took = `back after ${(performance.now() - started).toFixed(0)} ms`;
  if (position === undefined || channel === undefined) {
    second.webSocket.terminate();
    return pass(`${took}; name a --channel to test recovery`);
  }
  const { epoch = '', offset = 0 } = position;
  const reply = await visitor.ask(second, {
    id: 2,
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
