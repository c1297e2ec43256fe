import type { SubscriberDialect } from '../../subscribers/subscriber-dialect.ts';
import { connectionToken } from './token.ts';

const lineBreak = 0x0a;

/** The third byte of `{"push":…`; that of a reply is the `i` of `{"id":…`. */
const letterP = 0x70;

interface Line {
  readonly push?: { readonly pub: { readonly data: unknown } };
  readonly subscribe?: object;
  readonly error?: object;
}

function parse(text: string): readonly Line[] {
  return text.split('\n').map((line) => JSON.parse(line) as Line);
}

/** The Centrifugo protocol in JSON: replies, pushes and pings (`{}`), one per line of a frame. */
export const holdfastDialect: SubscriberDialect = {
  path: '/connection/websocket',
  isSubscribedByHandshake: false,
  token: connectionToken,
  opening: (token) =>
    `{"id":1,"connect":{"token":"${token}"}}\n{"id":2,"subscribe":{"channel":"bench"}}`,
  tally(payload, tally) {
    for (let start = 0; start < payload.length;) {
      if (payload[start + 2] === letterP) tally.messages += 1;
      else tally.hasOther = true;
      const end = payload.indexOf(lineBreak, start);
      start = end === -1 ? payload.length : end + 1;
    }
  },
  react(text) {
    const lines = parse(text);
    const refused = lines.find(({ error }) => error !== undefined);
    if (refused !== undefined) return { problem: `the hub refused: ${JSON.stringify(refused)}` };
    if (lines.some(({ subscribe }) => subscribe !== undefined)) return { isSubscribed: true };
    return lines.some((line) => Object.keys(line).length === 0) ? { reply: '{}' } : {};
  },
  messagesIn: (text) =>
    parse(text).flatMap(({ push }) => (push === undefined ? [] : JSON.stringify(push.pub.data))),
};
