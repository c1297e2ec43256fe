import { setTimeout } from 'node:timers/promises';

export interface LegacyItem {
  readonly id: string;
  readonly title: string;
  readonly type: string;
  readonly status?: string;
}

/** The time of a page, in milliseconds. */
export interface PageClock {
  now(): number;
  wait(ms: number): Promise<void>;
}

/** How many times faster than the real interface the pages of tests are. */
const speed = 50;

const fastClock: PageClock = {
  now: () => performance.now() * speed,
  wait: (ms) => setTimeout(ms / speed, undefined, { ref: false }),
};

/**
 * Behaves towards the server as the notification store of TradingAgents-CN's interface does, with its
 * defects: nothing is told from its repetition, each renewed token leaks a socket, every close is
 * answered by another connect, and each accepted handshake begins the backoff anew.
 */
export class LegacyStore {
  readonly items: LegacyItem[] = [];
  readonly types: string[] = [];
  /** When it tried to connect. */
  readonly attempts: number[] = [];
  unread = 0;
  accepted = 0;
  gaveUp = false;
  /** After how many attempts to connect again it stops. */
  protected readonly retries: number = 10;
  readonly #url: string;
  readonly #clock: PageClock;
  readonly #sockets = new Set<WebSocket>();
  #token: string;
  #socket: WebSocket | undefined;
  #tries = 0;
  #hasEnded = false;

  constructor(origin: string, token: string, clock: PageClock = fastClock) {
    this.#url = `${origin.replace('http', 'ws')}/api/ws/notifications`;
    this.#token = token;
    this.#clock = clock;
    this.connect();
  }

  /** Sockets that are open, those that it forgot included. */
  get open(): number {
    return [...this.#sockets].filter(({ readyState }) => readyState === WebSocket.OPEN).length;
  }

  renewToken(token: string): void {
    this.#token = token;
    this.connect();
  }

  connect(): void {
    if (this.#hasEnded) return;
    this.#socket?.close();
    this.attempts.push(this.#clock.now());
    const socket = new WebSocket(`${this.#url}?token=${encodeURIComponent(this.#token)}`);
    this.#socket = socket;
    this.#sockets.add(socket);
    socket.addEventListener('open', () => {
      this.#tries = 0;
      this.accepted += 1;
    });
    socket.addEventListener('message', ({ data }) => this.#take(String(data)));
    socket.addEventListener('close', () => {
      // The defect: this may be an older socket than the one it forgets.
      this.#socket = undefined;
      void this.#reconnect();
    });
  }

  async #reconnect(): Promise<void> {
    if (this.#tries >= this.retries) {
      this.giveUp();
      return;
    }
    const delay = Math.min(1_000 * 2 ** this.#tries, 30_000);
    this.#tries += 1;
    await this.#clock.wait(delay);
    this.connect();
  }

  protected giveUp(): void {
    this.gaveUp = true;
  }

  #take(text: string): void {
    const { type, data } = JSON.parse(text) as { readonly type: string; readonly data: LegacyItem };
    this.take(type, data);
  }

  protected take(type: string, data: LegacyItem): void {
    this.types.push(type);
    if (type !== 'notification' || data.title === '' || data.type === '') return;
    this.items.unshift(data);
    if (data.status === undefined || data.status === 'unread') this.unread += 1;
  }

  /** Closes the page. */
  [Symbol.dispose](): void {
    this.#hasEnded = true;
    for (const socket of this.#sockets) socket.close();
  }
}
