import type { SubscribeGrant } from '../events.ts';

/** Which of a user's connections an operation is meant for; members that are set must all match. */
export interface ClientSelector {
  readonly user: string;
  /** One connection. */
  readonly client?: string;
  /** One session (unidirectional and emulated transports). */
  readonly session?: string;
  /** Connections left alone. */
  readonly whitelist?: readonly string[];
}

/** What one node knows about itself and tells the others every few seconds. */
export interface NodeInfo {
  readonly uid: string;
  readonly name: string;
  readonly version: string;
  readonly num_clients: number;
  readonly num_users: number;
  readonly num_subs: number;
  readonly num_channels: number;
  /** Seconds. */
  readonly uptime: number;
  /** What happened on the node during an interval of so many seconds, by the name of the metric. */
  readonly metrics?: {
    readonly interval: number;
    readonly items: Readonly<Record<string, number>>;
  };
  /** CPU time in percent of one core, memory in bytes. */
  readonly process?: { readonly cpu: number; readonly rss: number };
}

/** Everything nodes say to each other. Plain data: it can be written as JSON (bytes as base64). */
export type NodeMessage =
  | { readonly type: 'node_info'; readonly info: NodeInfo }
  | { readonly type: 'node_left'; readonly uid: string }
  | {
      readonly type: 'subscribe';
      readonly selector: ClientSelector;
      readonly channel: string;
      readonly grant: SubscribeGrant;
      readonly recoverSince?: { readonly offset: number; readonly epoch: string };
    }
  | {
      readonly type: 'unsubscribe';
      readonly selector: ClientSelector;
      /** Empty: all channels. */
      readonly channel: string;
      readonly code: number;
      readonly reason: string;
    }
  | {
      readonly type: 'disconnect';
      readonly selector: ClientSelector;
      readonly code: number;
      readonly reason: string;
    }
  | {
      readonly type: 'refresh';
      readonly selector: ClientSelector;
      readonly expired?: boolean;
      /** Unix seconds. */
      readonly expireAt?: number;
      readonly info?: Uint8Array;
    }
  | {
      readonly type: 'shared_poll_publish';
      readonly channel: string;
      readonly item: { readonly key: string; readonly version: number; readonly data: Uint8Array };
    }
  /** A question to one node (emulation) or to all (channels); answered with `response`. */
  | {
      readonly type: 'request';
      readonly id: string;
      readonly from: string;
      readonly method: string;
      readonly params: Uint8Array;
    }
  | {
      readonly type: 'response';
      readonly id: string;
      readonly from: string;
      readonly result?: Uint8Array;
      readonly error?: string;
    };

/**
 * Carries control messages between nodes. Best effort, at most once. What one sender sends to one
 * node arrives in order, and so does what it sends to all; nothing else is promised about order.
 * Whoever needs an answer sends a `request` with a deadline.
 */
export interface NodeBus {
  /** Begins delivering messages of other nodes; a node never receives its own. */
  start(nodeId: string, receive: (message: NodeMessage) => void): Promise<void>;
  /** To one node, or to all others when `nodeId` is absent. Unknown nodes are no error. */
  send(message: NodeMessage, nodeId?: string): Promise<void>;
  problem(): string | undefined;
  close(): Promise<void>;
}
