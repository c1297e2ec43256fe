/** Where tabs talk, among themselves or with a leader. Messages of one sender arrive in order. */
export interface Bus<Message> {
  post(message: Message): void;
  close(): void;
}

/** Every other open bus of this name and origin hears what is posted, this one does not. */
export function openBus<Message>(name: string, receive: (message: Message) => void): Bus<Message> {
  const channel = new BroadcastChannel(name);
  channel.addEventListener('message', (event) => {
    receive((event as Event & { readonly data: Message }).data);
  });
  return {
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- only a window has one
    post: (message) => channel.postMessage(message),
    close: () => channel.close(),
  };
}
