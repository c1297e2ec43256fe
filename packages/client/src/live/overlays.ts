import type { PendingChange } from './change-queue.ts';
import type { LiveSource } from './live-source.ts';

interface Overlay<Change, Receipt> extends PendingChange<Change, Receipt> {
  /** Another tab's. */
  readonly isForeign?: true;
}

/**
 * Changes that are shown and that the state does not contain yet, in the order in which they were
 * made. They are laid over the state anew each time and never mixed into it, so that one that is taken
 * back leaves nothing behind.
 */
export class Overlays<State, Change, Receipt> {
  readonly #source: Pick<LiveSource<State, unknown, Change, Receipt>, 'overlay' | 'contains'>;
  #list: readonly Overlay<Change, Receipt>[] = [];

  constructor(source: Pick<LiveSource<State, unknown, Change, Receipt>, 'overlay' | 'contains'>) {
    this.#source = source;
  }

  /** Changes of this tab that the server has not answered. */
  get unconfirmed(): number {
    return this.#list.filter((one) => one.receipt === undefined && one.isForeign === undefined)
      .length;
  }

  add(overlay: Overlay<Change, Receipt>): void {
    this.#list = [...this.#list, overlay];
  }

  has(id: string): boolean {
    return this.#list.some((one) => one.id === id);
  }

  /** The server has carried it out: it stays until the state contains it. */
  confirm(id: string, receipt: Receipt): void {
    const overlay = this.#list.find((one) => one.id === id);
    if (overlay !== undefined) overlay.receipt = receipt;
  }

  remove(id: string): void {
    this.#list = this.#list.filter((one) => one.id !== id);
  }

  /** A page that is frozen does not hear how the changes of others ended. */
  removeForeign(): void {
    this.#list = this.#list.filter(({ isForeign }) => isForeign === undefined);
  }

  removeContained(state: State): void {
    this.#list = this.#list.filter(
      ({ receipt }) => receipt === undefined || !this.#source.contains(state, receipt),
    );
  }

  /** The same state when there is nothing to lay over it. */
  over(state: State): State {
    return this.#list.reduce<State>(
      (shown, { change }) => this.#source.overlay(shown, change),
      state,
    );
  }
}
