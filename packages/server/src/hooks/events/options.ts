/** What event hooks can tell about. */
export const eventTypes = [
  'connect',
  'disconnect',
  'subscribe',
  'unsubscribe',
  /** A channel has its first subscriber on this node. */
  'occupied',
  /** A channel has lost its last subscriber on this node. */
  'vacated',
  /** A node ended without saying goodbye: whatever was on it is gone. Always sent. */
  'node_lost',
] as const;
/** One of the events that backends are told of; `docs/hooks.md` says when. */
export type EventType = (typeof eventTypes)[number];

/** One backend endpoint that is told what happens (`event_hooks[]`). */
export interface EventHookOptions {
  /** Unique; names the folder of the journal: letters, digits, `_`, `.` and `-`. */
  readonly name: string;
  /** `http://` or `https://` URL. User and password in it become basic authentication. */
  readonly endpoint: string;
  /** Types of events that are sent. Empty: all. @defaultValue [] */
  readonly events?: readonly EventType[];
  /** Patterns of channels whose events are sent (`chat:*`). Empty: all. @defaultValue [] */
  readonly channels?: readonly string[];
  /**
   * Key of the signature; with the prefix `whsec_` the rest is the key in base64. Empty: requests are
   * not signed. @defaultValue ''
   */
  readonly secret?: string;
  /** Deadline of one request. @defaultValue 5000 */
  readonly timeoutMs?: number;
  /** Send the connection's `meta` with its events. @defaultValue false */
  readonly includeConnectionMeta?: boolean;
  /** @defaultValue {} */
  readonly staticHeaders?: Readonly<Record<string, string>>;
  /** Events of one request. @defaultValue 100 */
  readonly batchMaxEvents?: number;
  /** Bytes of the events of one request; a single event may be longer. @defaultValue 65536 */
  readonly batchMaxBytes?: number;
  /** How long a request that is not full waits for more after the one before it. @defaultValue 100 */
  readonly batchMaxDelayMs?: number;
  /** Longest time between two attempts. @defaultValue 30000 */
  readonly retryMaxDelayMs?: number;
  /** Bytes on disk; beyond it the oldest events are given up. @defaultValue 67108864 */
  readonly journalMaxBytes?: number;
  /** Longest time until written events survive a power failure; 0: before they are sent. @defaultValue 1000 */
  readonly journalSyncIntervalMs?: number;
}

/** {@link EventHookOptions} with every default filled in. */
export type ResolvedEventHookOptions = Required<EventHookOptions>;

const defaults: Omit<ResolvedEventHookOptions, 'name' | 'endpoint'> = {
  events: [],
  channels: [],
  secret: '',
  timeoutMs: 5_000,
  includeConnectionMeta: false,
  staticHeaders: {},
  batchMaxEvents: 100,
  batchMaxBytes: 65_536,
  batchMaxDelayMs: 100,
  retryMaxDelayMs: 30_000,
  journalMaxBytes: 67_108_864,
  journalSyncIntervalMs: 1_000,
};

/** Not `.` and `..`, which are folders already. */
const namePattern = /^(?!\.+$)[-A-Za-z0-9_.]+$/;

/**
 * Fills in the defaults.
 * @throws Error when the name cannot be that of a folder.
 */
export function resolveEventHookOptions(given: EventHookOptions): ResolvedEventHookOptions {
  if (!namePattern.test(given.name)) {
    throw new Error(
      `event_hooks: the name ${JSON.stringify(given.name)} cannot be that of a folder; use letters, digits, "_", "." and "-"`,
    );
  }
  return { ...defaults, ...given };
}
