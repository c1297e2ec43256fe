import type { Envelope } from './messages.ts';

/** Where tabs and their leader talk. Messages of one sender arrive in the order it sent them. */
export interface Bus {
  post(envelope: Envelope): void;
  close(): void;
}

/** Every other open bus of this name and origin hears what is posted, this one does not. */
export function openBus(name: string, receive: (envelope: Envelope) => void): Bus {
  const channel = new BroadcastChannel(name);
  channel.addEventListener('message', (event) => {
    receive((event as Event & { readonly data: Envelope }).data);
  });
  return {
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- only a window has one
    post: (envelope) => channel.postMessage(envelope),
    close: () => channel.close(),
  };
}
