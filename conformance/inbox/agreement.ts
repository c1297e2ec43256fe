import type { Page } from 'playwright-core';
import { patient } from './browser-devices.ts';

/** How long everybody may take to agree after a change. */
const agreementMs = 1_000;
/** A timer of this pace shows when a page, or this process, could do nothing. */
const paceMs = 10;

interface Stall {
  readonly from: number;
  readonly to: number;
}

interface Noted {
  /** Counts that were shown, and since when. */
  readonly counts: readonly (readonly [total: number, at: number])[];
  readonly stalls: readonly Stall[];
  /** When the connection came back, as it was told to the page. */
  readonly connectedAt: number | undefined;
}

const noteChanges = `
  api.noted = { counts: [], stalls: [], connectedAt: undefined };
  {
    let shown, last = Date.now();
    const note = () => {
      const { total } = api.inbox.getSnapshot().unread;
      if (total !== shown) api.noted.counts.push([shown = total, Date.now()]);
    };
    note();
    api.inbox.subscribe(note);
    api.client.onChange(() => {
      if (api.client.state.status !== 'connected') api.noted.connectedAt = undefined;
      else api.noted.connectedAt ??= Date.now();
    });
    setInterval(() => {
      const now = Date.now();
      if (now - last > ${2 * paceMs}) api.noted.stalls.push({ from: last, to: now });
      last = now;
    }, ${paceMs});
  }`;

/** How long the longest stall was that began before `end` and ended after `start`. */
function longest(
  stalls: readonly Stall[],
  { start, end }: Record<'start' | 'end', number>,
): number {
  const within = stalls.filter(({ from, to }) => from <= end && to >= start);
  return Math.max(0, ...within.map(({ from, to }) => to - from));
}

/**
 * Watches how soon pages agree on what is unread. A machine that does something else makes nobody
 * agree later than one second *and* its longest pause meanwhile.
 */
export class Agreement implements Disposable {
  /** Of each change, in milliseconds. */
  readonly tookMs: number[] = [];
  readonly #stalls: Stall[] = [];
  readonly #timer: ReturnType<typeof setInterval>;

  constructor() {
    let last = Date.now();
    this.#timer = setInterval(() => {
      const now = Date.now();
      if (now - last > 2 * paceMs) this.#stalls.push({ from: last, to: now });
      last = now;
    }, paceMs);
  }

  async watch(pages: readonly Page[]): Promise<void> {
    for (const page of pages) await page.evaluate(noteChanges);
  }

  /** Until all of these pages show `unread`, from the beginning of `act` on. */
  async after(
    act: () => Promise<unknown>,
    { pages, unread }: { readonly pages: readonly Page[]; readonly unread: number },
  ): Promise<void> {
    const start = Date.now();
    await act();
    await this.#agreed(pages, { unread, since: () => start });
  }

  /** The same from when these pages were told that they are connected again. */
  async afterReconnect(
    act: () => Promise<unknown>,
    {
      pages,
      offline,
      unread,
    }: {
      readonly pages: readonly Page[];
      readonly offline: readonly Page[];
      readonly unread: number;
    },
  ): Promise<void> {
    await act();
    for (const page of offline) {
      await page.waitForFunction('api.noted.connectedAt', undefined, patient);
    }
    const since = (noted: readonly Noted[]): number =>
      Math.max(
        ...pages.flatMap((page, index) =>
          offline.includes(page) ? noted[index]!.connectedAt! : [],
        ),
      );
    await this.#agreed(pages, { unread, since });
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }

  /** For people. */
  get report(): string {
    const sorted = this.tookMs.toSorted((a, b) => a - b);
    const [p50, max] = [sorted[Math.floor(sorted.length / 2)], sorted.at(-1)];
    return `${sorted.length} changes: everybody agreed after p50 ${p50} ms, max ${max} ms`;
  }

  async #agreed(
    pages: readonly Page[],
    {
      unread,
      since,
    }: { readonly unread: number; readonly since: (noted: readonly Noted[]) => number },
  ): Promise<void> {
    for (const page of pages) {
      await page.waitForFunction(`api.noted.counts.at(-1)[0] === ${unread}`, undefined, patient);
    }
    // One more turn of each timer, so that a stall that is not over is known.
    const noted: Noted[] = [];
    for (const page of pages) {
      noted.push(
        await page.evaluate<Noted>(
          `new Promise((resolve) => setTimeout(() => resolve(api.noted), ${2 * paceMs}))`,
        ),
      );
    }
    const start = since(noted);
    const end = Math.max(...noted.map(({ counts }) => counts.at(-1)![1]));
    const all = [...this.#stalls, ...noted.flatMap(({ stalls }) => stalls)];
    const tookMs = Math.max(0, end - start);
    this.tookMs.push(tookMs);
    const stallMs = longest(all, { start, end });
    if (tookMs <= agreementMs + stallMs) return;
    throw new Error(`all agreed on ${unread} after ${tookMs} ms, with a stall of ${stallMs} ms`);
  }
}
