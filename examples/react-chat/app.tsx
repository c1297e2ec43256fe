import { createRoot } from 'react-dom/client';
import { type FormEvent, type ReactNode, StrictMode, useState } from 'react';
import { typed } from '@holdfast/client/contract';
import { createSharedClient } from '@holdfast/client/shared';
import { HoldfastProvider, useConnection, useHistory, usePresence } from '@holdfast/react';
import { channels } from './channels.ts';

/** What of the browser is used; this repository has no DOM types. */
const browser = globalThis as unknown as {
  readonly location: { readonly origin: string };
  readonly document: { getElementById(id: string): never };
  readonly SharedWorker: new (url: string, options: { readonly name: string }) => unknown;
};

// One connection for all tabs: a worker holds it, or one of the tabs where there are no workers.
const client = createSharedClient({
  url: browser.location.origin,
  worker: (name) => new browser.SharedWorker('/worker.js', { name }),
});
const rooms = typed(client, channels);

interface Message {
  readonly author: string;
  readonly text: string;
}

function Connection(): ReactNode {
  const { status, transport, roundTripMs, lastClose } = useConnection();
  if (status === 'connected') return `${transport}, ${roundTripMs ?? '…'} ms`;
  return lastClose === undefined ? status : `${status}: ${lastClose.reason}`;
}

function Room({ name }: { readonly name: string }): ReactNode {
  const channel = `room:${name}` as const;
  const { publications } = useHistory<Message>(channel, 100);
  const present = usePresence(channel);
  return (
    <ol aria-label={`Messages, ${present.size} here`}>
      {publications.map(({ offset, data }) => (
        <li key={offset}>
          <b>{data.author}</b> {data.text}
        </li>
      ))}
    </ol>
  );
}

function Composer({ room }: { readonly room: string }): ReactNode {
  const [author, setAuthor] = useState('');
  const [text, setText] = useState('');
  const [problem, setProblem] = useState('');
  const send = async (event: FormEvent): Promise<void> => {
    event.preventDefault();
    try {
      setProblem('');
      // Waits for the connection when there is none.
      await rooms.publish(`room:${room}`, { author, text });
      setText('');
    } catch (error) {
      setProblem((error as Error).message);
    }
  };
  return (
    <form onSubmit={(event) => void send(event)}>
      <input
        aria-label="Your name"
        placeholder="Name"
        required
        maxLength={30}
        value={author}
        onChange={({ target }) => setAuthor((target as unknown as { value: string }).value)}
      />
      <input
        aria-label="Message"
        placeholder="Message"
        required
        maxLength={500}
        value={text}
        onChange={({ target }) => setText((target as unknown as { value: string }).value)}
      />
      <button type="submit">Send</button>
      {problem !== '' && <p role="alert">{problem}</p>}
    </form>
  );
}

function App(): ReactNode {
  const [room, setRoom] = useState('lobby');
  return (
    <main>
      <header>
        {['lobby', 'harbour'].map((name) => (
          <button
            key={name}
            type="button"
            aria-pressed={name === room}
            onClick={() => setRoom(name)}
          >
            {name}
          </button>
        ))}
        <p role="status">
          <Connection />
        </p>
      </header>
      <Room key={room} name={room} />
      <Composer room={room} />
    </main>
  );
}

createRoot(browser.document.getElementById('root')).render(
  <StrictMode>
    <HoldfastProvider client={client}>
      <App />
    </HoldfastProvider>
  </StrictMode>,
);
