import type { SubscriberDialect } from '../../subscribers/subscriber-dialect.ts';

const four = 0x34;
const two = 0x32;

const eventStart = '42["message",';

/**
 * Engine.IO 4 packets (`0` open, `2` ping, `3` pong, `4` message) around Socket.IO 5 packets
 * (`0` connect, `2` event, `3` acknowledgement).
 */
export const socketIoDialect: SubscriberDialect = {
  path: '/socket.io/?EIO=4&transport=websocket',
  isSubscribedByHandshake: false,
  tally(payload, tally) {
    if (payload[0] === four && payload[1] === two) tally.messages += 1;
    else tally.hasOther = true;
  },
  react(text) {
    if (text === '2') return { reply: '3' };
    if (text.startsWith('0{')) return { reply: '40' };
    if (text.startsWith('40{')) return { reply: '420["subscribe","bench"]' };
    if (text.startsWith('430[')) return { isSubscribed: true };
    return { problem: `unexpected packet ${text.slice(0, 100)}` };
  },
  messagesIn: (text) => (text.startsWith(eventStart) ? [text.slice(eventStart.length, -1)] : []),
};
