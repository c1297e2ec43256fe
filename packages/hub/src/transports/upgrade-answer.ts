import type { IncomingMessage, ServerResponse } from 'node:http';
import { refuse } from './http-refusal.ts';
import { edgeOf, type StrippedUpgrade } from './stripped-upgrade.ts';

const configurator =
  "'holdfast proxy-config nginx|caddy|haproxy|apache|traefik|envoy|k8s' prints a whole configuration";

/**
 * Answers a plain request to a WebSocket path with 426: as plain text where that is preferred, as
 * JSON otherwise. Both name what is missing and the lines to add; the JSON says too, in our own
 * words, what arrived, for a program that looks from outside.
 */
export function answerWithoutUpgrade(
  request: IncomingMessage,
  {
    response,
    stripped,
  }: { readonly response: ServerResponse; readonly stripped: StrippedUpgrade | undefined },
): void {
  const headers = {
    Connection: 'Upgrade, close',
    Upgrade: 'websocket',
    Vary: 'Accept',
    // A page that diagnoses its connection reads this from any origin; nothing in it is about a user.
    'Access-Control-Allow-Origin': '*',
    ...echoOf(request),
  };
  if (stripped === undefined) {
    const message =
      'this is a WebSocket endpoint: connect with a client for the Centrifugo protocol';
    if (prefersText(request)) answerText(response, { headers, text: message });
    else refuse(response, { status: 426, code: 'upgrade_required', message, headers });
    return;
  }
  const { proxy, missing, cause, lines } = stripped;
  const edge = edgeOf(request.headers);
  const through = edge === undefined ? '' : ` It came through ${edge}.`;
  const lost = `this WebSocket handshake arrived without ${missing.join(' and ')}: ${cause}.${through}`;
  if (prefersText(request)) {
    const advice = lines.length > 0 ? `Add to its configuration:\n\n${indent(lines)}\n\n` : '';
    const text = `${lost}\n\n${advice}On the machine of the server, ${configurator}.`;
    answerText(response, { headers, text });
    return;
  }
  const advice =
    lines.length > 0 ? ` Add to its configuration: ${lines.join(' ')}` : ` ${configurator}.`;
  refuse(response, {
    status: 426,
    code: 'upgrade_stripped',
    message: lost + advice,
    headers,
    details: {
      diagnosis: { proxy, missing, cause, lines, ...(edge !== undefined && { edge }) },
      seen: seenOf(request),
    },
  });
}

/**
 * Gives back what the asker made up: who gets another one back has the answer to somebody else's
 * question, out of a cache.
 */
function echoOf({ headers }: IncomingMessage): Readonly<Record<string, string>> {
  const nonce = headers['x-holdfast-nonce'];
  return typeof nonce === 'string' && /^[\w-]{1,64}$/.test(nonce)
    ? { 'X-Holdfast-Nonce': nonce }
    : {};
}

/** The facts that tell proxies apart, in a closed set of words. */
function seenOf({ httpVersion, headers }: IncomingMessage): object {
  const connection = headers.connection?.toLowerCase() ?? '';
  return {
    http_version: httpVersion,
    connection: ['close', 'keep-alive', 'upgrade', ''].includes(connection) ? connection : 'other',
    upgrade: headers.upgrade !== undefined,
    x_forwarded_for: headers['x-forwarded-for'] !== undefined,
    x_forwarded_proto: headers['x-forwarded-proto'] !== undefined,
  };
}

function prefersText({ headers: { accept = '' } }: IncomingMessage): boolean {
  return /\btext\/(?:plain|html|\*)/i.test(accept) && !/\bapplication\/json\b/i.test(accept);
}

function indent(lines: readonly string[]): string {
  return lines.map((line) => `    ${line}`).join('\n');
}

function answerText(
  response: ServerResponse,
  { headers, text }: { readonly headers: Readonly<Record<string, string>>; readonly text: string },
): void {
  response.writeHead(426, {
    'Content-Type': 'text/plain; charset=utf-8',
    'Cache-Control': 'no-store',
    ...headers,
  });
  response.end(`${text}\n`);
}
