import type { BenchMessage } from '../targets/bench-message.ts';
import { connectionToken } from '../targets/holdfast/token.ts';
import type { StormDialect } from './storm-dialect.ts';

interface Publication {
  readonly data: BenchMessage;
  readonly offset: number;
}

interface Line {
  readonly push?: { readonly pub: Publication };
  readonly subscribe?: {
    readonly epoch: string;
    readonly offset?: number;
    readonly recovered?: boolean;
    readonly was_recovering?: boolean;
    readonly publications?: readonly Publication[];
  };
  readonly error?: object;
}

/** As centrifuge-js does it: connect and subscribe in one frame, recovery, backoff with full jitter. */
export const holdfastStormDialect: StormDialect = {
  path: '/connection/websocket',
  token: connectionToken,
  attemptTimeoutMs: 5_000,
  opening({ epoch, offset }, token) {
    const recovery = epoch === '' ? '' : `,"recover":true,"epoch":"${epoch}","offset":${offset}`;
    return `{"id":1,"connect":{"token":"${token}"}}\n{"id":2,"subscribe":{"channel":"bench"${recovery}}}`;
  },
  hear(text, memory) {
    const messages: BenchMessage[] = [];
    let outcome: object = {};
    for (const line of text.split('\n')) {
      const { push, subscribe, error } = JSON.parse(line) as Line;
      if (error !== undefined) return { messages, isRefused: true };
      if (push !== undefined) {
        memory.offset = push.pub.offset;
        messages.push(push.pub.data);
      } else if (subscribe !== undefined) {
        const { publications = [], recovered = false, was_recovering: wasRecovering } = subscribe;
        messages.push(...publications.map(({ data }) => data));
        memory.epoch = subscribe.epoch;
        memory.offset = publications.at(-1)?.offset ?? subscribe.offset ?? 0;
        const isUnrecovered = wasRecovering === true && !recovered;
        outcome = { isBack: true, isUnrecovered };
      } else if (line === '{}') {
        outcome = { reply: '{}' };
      }
    }
    return { messages, ...outcome };
  },
  backoffMs: (attempt) => 500 + Math.random() * Math.min(19_500, 500 * 2 ** Math.min(attempt, 31)),
};
