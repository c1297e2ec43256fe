import { once } from 'node:events';
import { connect, type ClientHttp2Stream, type Settings } from 'node:http2';
import { isIP } from 'node:net';
import { pass, skip, type Finding } from './finding.ts';
import type { Visitor } from './visitor.ts';

/**
 * Whether browsers will open WebSockets over HTTP/2 (RFC 8441), and whether that works: they do so
 * wherever a proxy says that it can, on pages whose connection is HTTP/2 already.
 */
export async function checkHttp2({ target, timeoutMs }: Visitor): Promise<Finding> {
  if (!target.isSecure) return skip('browsers speak HTTP/2 over TLS only');
  const { hostname, origin, websocket } = target;
  const session = connect(origin, {
    ALPNProtocols: ['h2'],
    ...(isIP(hostname) === 0 && { servername: hostname }),
  });
  session.on('error', () => {
    // Whoever waits hears of it too.
  });
  const signal = AbortSignal.timeout(timeoutMs);
  let isOffered: boolean | undefined;
  try {
    const [settings] = (await once(session, 'remoteSettings', { signal })) as [Settings];
    isOffered = settings.enableConnectProtocol;
  } catch {
    session.destroy();
    return pass('not offered: browsers open WebSockets over HTTP/1.1');
  }
  try {
    if (isOffered !== true) {
      return pass('without extended CONNECT: browsers open WebSockets over HTTP/1.1');
    }
    const url = new URL(websocket);
    const stream = session.request({
      ':method': 'CONNECT',
      ':protocol': 'websocket',
      ':scheme': 'https',
      ':authority': url.host,
      ':path': url.pathname,
      'sec-websocket-version': '13',
      'sec-websocket-protocol': 'centrifuge-json',
    });
    return judgeExtendedConnect(await statusOf(stream, signal));
  } finally {
    session.destroy();
  }
}

/** The status of the answer; undefined when the stream was ended without one. */
async function statusOf(
  stream: ClientHttp2Stream,
  signal: AbortSignal,
): Promise<number | undefined> {
  stream.on('error', () => {
    // That there is no answer says as much.
  });
  try {
    const [headers] = (await once(stream, 'response', { signal })) as [{ ':status'?: number }];
    return headers[':status'];
  } catch {
    return undefined;
  }
}

/** Says what an answer to an extended CONNECT means. */
export function judgeExtendedConnect(status: number | undefined): Finding {
  if (status === 200) return pass('WebSocket over HTTP/2 works (RFC 8441)');
  return {
    status: 'fail',
    evidence: `extended CONNECT: ${status === undefined ? 'the stream was ended' : `HTTP ${status}`}`,
    cause:
      'A proxy offers WebSocket over HTTP/2 (RFC 8441), which browsers then use, and does not get it through to the server.',
    mend: 'Let it speak HTTP/1.1 with Upgrade to the server, or stop it from offering (HAProxy: h2-workaround-bogus-websocket-clients; Envoy: allow_connect: false).',
  };
}
