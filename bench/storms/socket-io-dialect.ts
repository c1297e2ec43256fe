import type { BenchMessage } from '../targets/bench-message.ts';
import type { StormDialect } from './storm-dialect.ts';

const eventStart = '42["message",';
const minDelayMs = 500;
const maxDelayMs = 5_000;

/**
 * As socket.io-client does it with the settings of the public comparison (`reconnectionDelay` 500,
 * `reconnectionDelayMax` 5000, `timeout` 10000): joins its room again after each connect, and has nothing to recover.
 */
export const socketIoStormDialect: StormDialect = {
  attemptTimeoutMs: 10_000,
  path: '/socket.io/?EIO=4&transport=websocket',
  hear(text) {
    if (text.startsWith(eventStart)) {
      return { messages: [JSON.parse(text.slice(eventStart.length, -1)) as BenchMessage] };
    }
    if (text === '2') return { messages: [], reply: '3' };
    if (text.startsWith('0{')) return { messages: [], reply: '40' };
    if (text.startsWith('40{')) return { messages: [], reply: '420["subscribe","bench"]' };
    return text.startsWith('430[')
      ? { messages: [], isBack: true }
      : { messages: [], isRefused: true };
  },
  // Its backoff: doubled each time, and up to half of that more or less.
  backoffMs(attempt) {
    const delayMs = minDelayMs * 2 ** Math.min(attempt, 31);
    return Math.min(maxDelayMs, delayMs * (0.5 + Math.random()));
  },
};
