import type { InboxStore } from '@holdfast/client/inbox';

/** What comes within this time is announced together. */
const announceMs = 1_000;

/** Says something aloud: what came, by title. */
type Speaker = (titles: readonly string[]) => void;

/**
 * Says what comes into an inbox, through one speaker however many there are in a page: the newest, which
 * stands in the drawer while that is open. Everything outside of a modal dialog is silent.
 */
class Announcer {
  readonly #inbox: InboxStore;
  readonly #speakers: Speaker[] = [];
  #titles: string[] = [];
  #timer: ReturnType<typeof setTimeout> | undefined;
  #stop: () => void = () => undefined;

  constructor(inbox: InboxStore) {
    this.#inbox = inbox;
  }

  add(speaker: Speaker): () => void {
    if (this.#speakers.length === 0) this.#start();
    this.#speakers.push(speaker);
    return () => {
      this.#speakers.splice(this.#speakers.indexOf(speaker), 1);
      if (this.#speakers.length === 0) this.#end();
    };
  }

  #start(): void {
    this.#stop = this.#inbox.onNotification(({ title }) => {
      this.#titles.push(title);
      // Not put off by the next one: where they never end nothing would ever be said.
      this.#timer ??= setTimeout(() => {
        this.#timer = undefined;
        this.#speakers.at(-1)?.(this.#titles.splice(0));
      }, announceMs);
    });
  }

  #end(): void {
    this.#stop();
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#titles = [];
  }
}

const announcers = new WeakMap<InboxStore, Announcer>();

/** The same for each use of an inbox. */
export function announcerOf(inbox: InboxStore): Announcer {
  let announcer = announcers.get(inbox);
  if (announcer === undefined) {
    announcer = new Announcer(inbox);
    announcers.set(inbox, announcer);
  }
  return announcer;
}
