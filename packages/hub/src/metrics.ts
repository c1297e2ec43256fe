/** A counter split by one low-cardinality label. */
export class LabelledCounter {
  readonly counts: Map<string, number> = new Map();

  add(label: string, by = 1): void {
    this.counts.set(label, (this.counts.get(label) ?? 0) + by);
  }
}

/** Upper bounds in seconds of {@link DurationHistogram}. */
export const durationBuckets: readonly number[] = [
  0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5,
];

/** How long something took, as a histogram that is not cumulative; the last count is for the rest. */
export class DurationHistogram {
  readonly counts: number[] = Array.from({ length: durationBuckets.length + 1 }, () => 0);
  sumSeconds = 0;
  count = 0;

  observe(milliseconds: number): void {
    const seconds = milliseconds / 1000;
    const bucket = durationBuckets.findIndex((bound) => seconds <= bound);
    const index = bucket === -1 ? durationBuckets.length : bucket;
    this.counts[index] = (this.counts[index] ?? 0) + 1;
    this.sumSeconds += seconds;
    this.count += 1;
  }
}

/** What the journals of the memory brokers count. */
export class JournalMetrics {
  /** Operations on durable channels that wait right now. */
  waiting = 0;
  commits = 0;
  /** Channels that commits changed. */
  changedChannels = 0;
  /** Rounds of operations that were answered with an error because the journal failed. */
  failures = 0;
  /** Operations refused because too much waited already. */
  refused = 0;
  /** Channels that came back from the snapshot of the run before. */
  restoredChannels = 0;
}

/**
 * Everything the hub counts, as plain numbers: incrementing costs nothing on the hot path, and the
 * server reads them at scrape time. Never labelled by channel, user or client.
 */
export class HubMetrics {
  /** Connections that exist right now, authenticated or not. */
  connections = 0;
  /** Authenticated clients right now. */
  clients = 0;
  users = 0;
  subscriptions = 0;
  channels = 0;
  /** Blocked users and revoked tokens that this node knows of. */
  revocations = 0;
  /** Publications accepted by this node's publish calls. */
  publicationsAccepted = 0;
  /** Publications handed to a subscriber's queue. */
  deliveries = 0;
  /** Publications that a subscriber did not get because a later one took their place. */
  conflated = 0;
  /** Socket writes; deliveries per write shows how well coalescing works. */
  writes = 0;
  bytesSent = 0;
  bytesReceived = 0;
  /** Connections that began, by transport. */
  readonly connectionsOpened: LabelledCounter = new LabelledCounter();
  readonly commands: LabelledCounter = new LabelledCounter();
  /** By error code. */
  readonly replyErrors: LabelledCounter = new LabelledCounter();
  /** Commands beyond a rate limit, by limit: `connection`, `user`, `publish`. */
  readonly rateLimited: LabelledCounter = new LabelledCounter();
  /** By disconnect code. */
  readonly disconnects: LabelledCounter = new LabelledCounter();
  /** By unsubscribe code, server-initiated ones. */
  readonly unsubscribes: LabelledCounter = new LabelledCounter();
  /** `yes` and `no`. */
  readonly recoveries: LabelledCounter = new LabelledCounter();
  /** Reads of a stream that subscribers asked for on entering it. */
  streamQuestions = 0;
  /** Reads that the broker did for them; subscribers that come together share theirs. */
  streamReads = 0;
  /** Handshakes that are carried out right now: connect, and the commands that came along with it. */
  handshakesUnderWay = 0;
  /** Handshakes that wait for their turn. */
  handshakesWaiting = 0;
  /** How long handshakes waited for their turn. */
  readonly handshakeWait: DurationHistogram = new DurationHistogram();
  /** Handshakes refused, by reason. */
  readonly refusedHandshakes: LabelledCounter = new LabelledCounter();
  /** Handshakes that lost `Upgrade` or `Connection` on their way: `rescued` and `refused`. */
  readonly strippedHandshakes: LabelledCounter = new LabelledCounter();
  /** Signs of a proxy that is not set up for connections that last, by fault. */
  readonly proxyFaults: LabelledCounter = new LabelledCounter();
  /** Connections ended or refused: `blocked`, `token_revoked`. */
  readonly revokedConnections: LabelledCounter = new LabelledCounter();
  readonly journal: JournalMetrics = new JournalMetrics();
  /** By WebSocket close code. */
  readonly websocketErrors: LabelledCounter = new LabelledCounter();
}
