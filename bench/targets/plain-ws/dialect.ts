import type { SubscriberDialect } from '../../subscribers/subscriber-dialect.ts';

/** Subscribed by the handshake; every text frame is one message. */
export const plainWsDialect: SubscriberDialect = {
  path: '/',
  isSubscribedByHandshake: true,
  tally: (_, tally) => {
    tally.messages += 1;
  },
  react: () => ({}),
  messagesIn: (text) => [text],
};
