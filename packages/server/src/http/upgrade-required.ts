import type { IncomingMessage, ServerResponse } from 'node:http';
import { refuse } from '@holdfast/hub';

/**
 * Answers a plain request to the WebSocket endpoint. One that has a `Sec-WebSocket-Key` was meant to
 * be a handshake: a proxy on the way removed its hop-by-hop headers, and the answer says how to make
 * the proxy keep them.
 */
export function answerUpgradeRequired(request: IncomingMessage, response: ServerResponse): void {
  const wasStripped = request.headers['sec-websocket-key'] !== undefined;
  const headers = {
    Connection: 'Upgrade',
    Upgrade: 'websocket',
    // A page that diagnoses its connection reads this answer from any origin.
    'Access-Control-Allow-Origin': '*',
  };
  if (wasStripped) {
    refuse(response, {
      status: 426,
      code: 'upgrade_stripped',
      message:
        'a proxy removed the Upgrade header of this WebSocket handshake; for nginx add: proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection "upgrade";',
      headers,
    });
  } else {
    refuse(response, {
      status: 426,
      code: 'upgrade_required',
      message: 'this is a WebSocket endpoint: connect with a client for the Centrifugo protocol',
      headers,
    });
  }
}
