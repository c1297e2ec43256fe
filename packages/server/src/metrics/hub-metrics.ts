import {
  type DurationHistogram,
  durationBuckets,
  type HubMetrics,
  type LabelledCounter,
} from '@holdfast/hub';
import type { MetricReader } from './metric-reader.ts';

type MetricKind = 'counter' | 'gauge';

/** Those of the journal have a table of their own. */
type HubMetricName = Exclude<keyof HubMetrics, 'journal'>;

/** What of the hub's own numbers becomes which metric. Complete: the compiler checks every name. */
const hubMetrics: {
  readonly [Name in HubMetricName]: HubMetrics[Name] extends LabelledCounter
    ? { readonly name: string; readonly label: string; readonly help: string }
    : HubMetrics[Name] extends DurationHistogram
      ? { readonly name: string; readonly help: string }
      : { readonly name: string; readonly kind: MetricKind; readonly help: string };
} = {
  connections: {
    name: 'holdfast_connections',
    kind: 'gauge',
    help: 'Connections that exist right now, authenticated or not',
  },
  clients: { name: 'holdfast_clients', kind: 'gauge', help: 'Authenticated clients right now' },
  users: { name: 'holdfast_users', kind: 'gauge', help: 'Distinct users right now' },
  subscriptions: {
    name: 'holdfast_subscriptions',
    kind: 'gauge',
    help: 'Subscriptions of clients to channels right now',
  },
  channels: {
    name: 'holdfast_channels',
    kind: 'gauge',
    help: 'Channels with at least one subscriber right now',
  },
  revocations: {
    name: 'holdfast_revocations',
    kind: 'gauge',
    help: 'Blocked users and revoked tokens that this node knows of',
  },
  publicationsAccepted: {
    name: 'holdfast_publications_total',
    kind: 'counter',
    help: 'Publications that this node accepted and handed to the broker',
  },
  deliveries: {
    name: 'holdfast_deliveries_total',
    kind: 'counter',
    help: 'Publications handed to the queue of a subscriber',
  },
  conflated: {
    name: 'holdfast_conflated_publications_total',
    kind: 'counter',
    help: 'Publications that a subscriber did not get because a later one took their place',
  },
  writes: {
    name: 'holdfast_writes_total',
    kind: 'counter',
    help: 'Socket writes; deliveries per write shows how well messages are coalesced',
  },
  bytesSent: {
    name: 'holdfast_sent_bytes_total',
    kind: 'counter',
    help: 'Bytes sent to clients',
  },
  bytesReceived: {
    name: 'holdfast_received_bytes_total',
    kind: 'counter',
    help: 'Bytes received from clients',
  },
  connectionsOpened: {
    name: 'holdfast_connections_opened_total',
    label: 'transport',
    help: 'Connections that began, by transport',
  },
  commands: {
    name: 'holdfast_commands_total',
    label: 'command',
    help: 'Commands of clients',
  },
  replyErrors: {
    name: 'holdfast_reply_errors_total',
    label: 'code',
    help: 'Commands of clients that were answered with an error',
  },
  rateLimited: {
    name: 'holdfast_rate_limited_commands_total',
    label: 'limit',
    help: 'Commands of clients beyond a limit of client.rate_limit',
  },
  disconnects: {
    name: 'holdfast_disconnects_total',
    label: 'code',
    help: 'Connections that the server closed, by disconnect code',
  },
  unsubscribes: {
    name: 'holdfast_unsubscribes_total',
    label: 'code',
    help: 'Subscriptions that the server ended, by unsubscribe code',
  },
  recoveries: {
    name: 'holdfast_recoveries_total',
    label: 'recovered',
    help: 'Subscriptions that asked for what they missed, by whether they got it',
  },
  streamQuestions: {
    name: 'holdfast_stream_questions_total',
    kind: 'counter',
    help: 'Subscribers that asked for the position of a stream, or for what they missed of it',
  },
  streamReads: {
    name: 'holdfast_stream_reads_total',
    kind: 'counter',
    help: 'Reads of the broker that answered them; subscribers that come together share one',
  },
  handshakesUnderWay: {
    name: 'holdfast_handshakes_under_way',
    kind: 'gauge',
    help: 'Clients that are being connected right now, the subscribing that came along included',
  },
  handshakesWaiting: {
    name: 'holdfast_handshakes_waiting',
    kind: 'gauge',
    help: 'Clients that wait for their turn to be connected right now',
  },
  handshakeWait: {
    name: 'holdfast_handshake_wait_seconds',
    help: 'How long clients waited for their turn to be connected',
  },
  refusedHandshakes: {
    name: 'holdfast_refused_handshakes_total',
    label: 'reason',
    help: 'Connection attempts that were turned away',
  },
  strippedHandshakes: {
    name: 'holdfast_stripped_handshakes_total',
    label: 'outcome',
    help: 'WebSocket handshakes that a proxy had stripped of their headers: rescued or refused',
  },
  proxyFaults: {
    name: 'holdfast_proxy_faults_total',
    label: 'fault',
    help: 'Signs of a proxy that is not set up for connections that last; the log names each once',
  },
  revokedConnections: {
    name: 'holdfast_revoked_connections_total',
    label: 'reason',
    help: 'Connections ended or refused because of a blocked user or a revoked token',
  },
  websocketErrors: {
    name: 'holdfast_websocket_errors_total',
    label: 'code',
    help: 'WebSocket connections that ended because of a fault, by close code',
  },
};

/** What of the journal's numbers becomes which metric. */
const journalMetrics: {
  readonly [Name in keyof HubMetrics['journal']]: {
    readonly name: string;
    readonly kind: MetricKind;
    readonly help: string;
  };
} = {
  waiting: {
    name: 'holdfast_journal_waiting',
    kind: 'gauge',
    help: 'Operations on durable channels that wait to be kept',
  },
  commits: {
    name: 'holdfast_journal_commits_total',
    kind: 'counter',
    help: 'Commits of what happened in durable channels',
  },
  changedChannels: {
    name: 'holdfast_journal_changed_channels_total',
    kind: 'counter',
    help: 'Durable channels changed by these commits',
  },
  failures: {
    name: 'holdfast_journal_failures_total',
    kind: 'counter',
    help: 'Rounds of operations on durable channels that failed because they could not be kept',
  },
  refused: {
    name: 'holdfast_journal_refused_total',
    kind: 'counter',
    help: 'Operations on durable channels refused because too much waited already',
  },
  restoredChannels: {
    name: 'holdfast_journal_restored_channels',
    kind: 'gauge',
    help: 'Channels that this process took over from the one before',
  },
};

/** One number of the hub, with the name of its metric; those with a label are added up. */
export interface HubNumber {
  readonly name: string;
  readonly kind: MetricKind;
  readonly value: number;
}

/** All numbers of the hub right now; histograms are left out. */
export function hubNumbers(hub: HubMetrics): readonly HubNumber[] {
  return (Object.keys(hubMetrics) as HubMetricName[]).flatMap((property): readonly HubNumber[] => {
    const spec = hubMetrics[property];
    const { name } = spec;
    if ('kind' in spec) return [{ name, kind: spec.kind, value: hub[property] as number }];
    if (!('label' in spec)) return [];
    const { counts } = hub[property] as LabelledCounter;
    const value = [...counts.values()].reduce((sum, count) => sum + count, 0);
    return [{ name, kind: 'counter', value }];
  });
}

/** Everything that the hub counts. */
export function addHubMetrics(reader: MetricReader, hub: HubMetrics): void {
  for (const property of Object.keys(hubMetrics) as HubMetricName[]) {
    const spec = hubMetrics[property];
    const { name, help } = spec;
    if ('label' in spec) {
      const counter = hub[property] as LabelledCounter;
      reader.counter({ name, help, labels: [spec.label] }, (add) => {
        for (const [label, count] of counter.counts) add(count, { [spec.label]: label });
      });
    } else if ('kind' in spec) {
      reader[spec.kind]({ name, help }, (add) => add(hub[property] as number));
    } else {
      const { counts, sumSeconds: sum } = hub[property] as DurationHistogram;
      reader.histogram(
        { name, help },
        { bounds: durationBuckets, read: () => [{ labels: {}, counts, sum }] },
      );
    }
  }
  for (const property of Object.keys(journalMetrics) as (keyof typeof journalMetrics)[]) {
    const { kind, name, help } = journalMetrics[property];
    reader[kind]({ name, help }, (add) => add(hub.journal[property]));
  }
}
