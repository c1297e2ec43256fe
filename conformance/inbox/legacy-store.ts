import { setTimeout } from 'node:timers/promises';

interface LegacyItem {
  readonly id: string;
  readonly title: string;
  readonly type: string;
}

/** One second of the real interface, in milliseconds of the tests. */
const second = 20;

/**
 * Behaves towards the server as the notification store of TradingAgents-CN's interface does, with its
 * defects: nothing is told from its repetition, each renewed token leaks a socket, every close is
 * answered by another connect, and each accepted handshake begins the backoff anew.
 */
export class LegacyStore {
  readonly items: LegacyItem[] = [];
  readonly types: string[] = [];
  /** Times of the attempts to connect. */
  readonly attempts: number[] = [];
  unread = 0;
  accepted = 0;
  gaveUp = false;
  readonly #url: string;
  readonly #sockets = new Set<WebSocket>();
  #token: string;
  #socket: WebSocket | undefined;
  #tries = 0;
  #hasEnded = false;

  constructor(origin: string, token: string) {
    this.#url = `${origin.replace('http', 'ws')}/api/ws/notifications`;
    this.#token = token;
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
    this.attempts.push(performance.now());
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
    if (this.#tries >= 10) {
      this.gaveUp = true;
      return;
    }
    const delay = Math.min(second * 2 ** this.#tries, 30 * second);
    this.#tries += 1;
    await setTimeout(delay, undefined, { ref: false });
    this.connect();
  }

  #take(text: string): void {
    const { type, data } = JSON.parse(text) as {
      readonly type: string;
      readonly data: LegacyItem & { readonly status?: string };
    };
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
