import { isCompatible } from './channel-registry.ts';
import { ClientError } from './client-error.ts';
import type { Environment } from './environment.ts';
import { type KeyedUse, KeyedView } from './keyed-view.ts';
import type { KeyedHandle, KeyedRequest, Wire } from './wire.ts';

interface KeyedChannel {
  readonly request: KeyedRequest;
  readonly view: KeyedView;
  handle: KeyedHandle;
  /** What was asked for and not given up. */
  readonly tracked: Set<string>;
  cancelSettling: () => void;
}

/** Counts the uses of each channel with keys, and of each key that is tracked. */
export class KeyedRegistry {
  readonly #channels = new Map<string, KeyedChannel>();
  readonly #wire: () => Pick<Wire, 'attachKeyed'>;
  readonly #environment: Pick<Environment, 'after'>;

  constructor(wire: () => Pick<Wire, 'attachKeyed'>, environment: Pick<Environment, 'after'>) {
    this.#wire = wire;
    this.#environment = environment;
  }

  /** @throws {@link ClientError} `misused` when the channel is in use with other options. */
  open(request: KeyedRequest, use: KeyedUse): KeyedView {
    const open = this.#channels.get(request.channel) ?? this.#make(request);
    const { request: first, view } = open;
    if (first.kind !== request.kind || !isCompatible(first.options, request.options)) {
      throw new ClientError(
        'misused',
        'the channel is in use with other options: all subscriptions of a channel share theirs',
      );
    }
    view.add(use);
    // One that the server ended is asked for anew, for its earlier uses as well.
    if (view.state.status === 'unsubscribed') {
      open.handle.detach();
      open.handle = this.#attach(first, view, open.tracked);
      open.handle.track([...open.tracked]);
    }
    return view;
  }

  track(channel: string, use: KeyedUse, keys: readonly string[]): void {
    const open = this.#channels.get(channel);
    if (open?.view.uses.has(use) !== true) return;
    const fresh = keys.filter((key) => !open.tracked.has(key));
    for (const key of keys) {
      use.keys?.add(key);
      open.tracked.add(key);
    }
    if (fresh.length > 0) open.handle.track(fresh);
    use.notify();
  }

  untrack(channel: string, use: KeyedUse, keys: readonly string[]): void {
    for (const key of keys) use.keys?.delete(key);
    use.notify();
    this.#settleSoon(channel);
  }

  close(channel: string, use: KeyedUse): void {
    this.#channels.get(channel)?.view.uses.delete(use);
    this.#settleSoon(channel);
  }

  clear(): void {
    for (const channel of this.#channels.values()) channel.cancelSettling();
    this.#channels.clear();
  }

  #make(request: KeyedRequest): KeyedChannel {
    const view = new KeyedView();
    const tracked = new Set<string>();
    const made = {
      request,
      view,
      handle: this.#attach(request, view, tracked),
      tracked,
      cancelSettling: () => undefined,
    };
    this.#channels.set(request.channel, made);
    return made;
  }

  #attach(request: KeyedRequest, view: KeyedView, tracked: Set<string>): KeyedHandle {
    return this.#wire().attachKeyed(request, (event) => {
      // What may not be tracked any more can be asked for again.
      if (event.type === 'change' && event.change.entry === undefined) {
        tracked.delete(event.change.key);
      }
      view.handle(event);
    });
  }

  /**
   * What nobody uses any more ends a moment later, so that a component that is unmounted and mounted
   * again keeps what it has.
   */
  #settleSoon(channel: string): void {
    const open = this.#channels.get(channel);
    if (open === undefined) return;
    open.cancelSettling();
    open.cancelSettling = this.#environment.after(0, () => {
      if (open.view.uses.size === 0) {
        this.#channels.delete(channel);
        open.handle.detach();
        return;
      }
      const free = [...open.tracked].filter((key) => !open.view.isTracked(key));
      if (free.length === 0) return;
      for (const key of free) open.tracked.delete(key);
      open.handle.untrack(free);
      open.view.forget(free);
    });
  }
}
