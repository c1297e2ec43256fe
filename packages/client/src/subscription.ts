import type { ChannelEvent, ChannelOptions, ClientInfo, Position, Publication } from './wire.ts';

/** What is known about a subscription. Never changed in place: a new one each time. */
export interface SubscriptionState {
  readonly status: 'subscribing' | 'subscribed' | 'unsubscribed';
  /** The newest publication that was delivered, in channels with positions. */
  readonly position: Position | undefined;
  /**
   * Of the newest return of the connection: true when nothing was missed, false when something may
   * have been and the application has to load its state anew. Undefined before the first return.
   */
  readonly recovered: boolean | undefined;
  /** Why it is not subscribed, or the newest trouble on the way. */
  readonly problem: { readonly code: number; readonly message: string } | undefined;
}

/** What a channel is asked for, and who hears of it. */
export interface SubscriptionOptions<Data = unknown> extends ChannelOptions {
  /** Called for each publication, in order. What it throws is thrown outside of the client. */
  readonly onPublication?: (publication: Publication<Data>) => void;
  readonly onJoin?: (info: ClientInfo) => void;
  readonly onLeave?: (info: ClientInfo) => void;
  /**
   * Called when subscribed, and again after each return of the connection, before what was missed is
   * delivered.
   */
  readonly onSubscribed?: (state: SubscriptionState) => void;
  /** Continue from here: only of use to the first subscription of a channel. */
  readonly since?: Position;
}

/**
 * One use of a channel. Several uses of one channel share one subscription on the wire, which ends
 * when the last of them is closed.
 */
export interface Subscription<Data = unknown> {
  readonly channel: string;
  readonly state: SubscriptionState;
  /** Calls `listener` after each change of `state`, until the returned function is called. */
  onChange(listener: () => void): () => void;
  /** See {@link Client.publish}. */
  publish(data: Data): Promise<void>;
  /** Ends this use. Nothing is delivered to it any more. */
  close(): void;
}

/** The state of a channel that was just asked for. */
export const subscribingState: SubscriptionState = {
  status: 'subscribing',
  position: undefined,
  recovered: undefined,
  problem: undefined,
};

/** The state of a channel that nobody is subscribed to. */
export const unsubscribedState: SubscriptionState = { ...subscribingState, status: 'unsubscribed' };

/** The state after an event. */
export function nextState(state: SubscriptionState, event: ChannelEvent): SubscriptionState {
  switch (event.type) {
    case 'subscribing':
      return { ...state, status: 'subscribing' };
    case 'subscribed':
      return {
        status: 'subscribed',
        position: event.position,
        recovered: event.wasRecovering ? event.recovered : undefined,
        problem: undefined,
      };
    case 'publication': {
      const { offset } = event.publication;
      if (offset === undefined || state.position === undefined) return state;
      return { ...state, position: { ...state.position, offset } };
    }
    case 'unsubscribed':
      return {
        ...state,
        status: 'unsubscribed',
        problem: { code: event.code, message: event.reason },
      };
    case 'error':
      return { ...state, problem: { code: event.code, message: event.message } };
    case 'join':
    case 'leave':
      return state;
  }
}
