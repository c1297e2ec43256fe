/** What a subscriber does on receiving something that is not a message. */
export interface Reaction {
  /** Text to send back. */
  readonly reply?: string;
  /** From now on every published message reaches this subscriber. */
  readonly isSubscribed?: boolean;
  /** The server refused or broke its protocol: the measurement is void. */
  readonly problem?: string;
}

/** What the payload of one frame holds. */
export interface Tally {
  messages: number;
  hasOther: boolean;
}

/** The least of a client protocol that makes a raw WebSocket a subscriber. */
export interface SubscriberDialect {
  readonly path: string;
  /** The handshake alone subscribes. */
  readonly isSubscribedByHandshake: boolean;
  /** Makes the credentials of one subscriber; called before the clock starts. */
  readonly token?: (subscriber: number) => string;
  /** Text to send after the handshake. */
  readonly opening?: (token: string) => string;
  /** Adds up what a payload holds. Runs for every frame, so it only looks at bytes. */
  tally(payload: Buffer, tally: Tally): void;
  /** Called for payloads that hold anything but messages. */
  react(text: string): Reaction;
  /** The JSON texts of the messages in a payload; called for sampled subscribers only. */
  messagesIn(text: string): readonly string[];
}
