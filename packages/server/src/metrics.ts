import { readFile, readdir } from 'node:fs/promises';
import { monitorEventLoopDelay, type IntervalHistogram } from 'node:perf_hooks';
import type { HubMetrics, JwtMetrics, LabelledCounter } from '@holdfast/hub';
import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import { version } from './version.ts';

type MetricKind = 'counter' | 'gauge';

/** What of the hub's own numbers becomes which metric. Complete: the compiler checks every name. */
const hubMetrics: {
  readonly [Name in keyof HubMetrics]: HubMetrics[Name] extends LabelledCounter
    ? { readonly name: string; readonly label: string; readonly help: string }
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
  refusedHandshakes: {
    name: 'holdfast_refused_handshakes_total',
    label: 'reason',
    help: 'Connection attempts that were turned away',
  },
  websocketErrors: {
    name: 'holdfast_websocket_errors_total',
    label: 'code',
    help: 'WebSocket connections that ended because of a fault, by close code',
  },
};

/** What is counted elsewhere and read at scrape time. */
export interface MetricSources {
  readonly hub: HubMetrics;
  readonly badRequests: LabelledCounter;
  /** One per token verifier. */
  readonly tokens: readonly JwtMetrics[];
}

/**
 * The metrics of one server, in Prometheus' format. What the hub counts is read when somebody asks,
 * so counting costs the hub nothing. Channels, users and clients are never labels: their number has
 * no bound.
 */
export class ServerMetrics {
  readonly registry: Registry = new Registry();
  readonly contentType: string = this.registry.contentType;
  readonly #apiCommands: Counter<'method'>;
  readonly #apiErrors: Counter<'method' | 'code'>;
  readonly #apiRefusals: Counter<'reason'>;
  readonly #apiSeconds: Histogram<'method'>;
  readonly #eventLoopDelay: IntervalHistogram;

  constructor({ hub, badRequests, tokens }: MetricSources) {
    for (const name of Object.keys(hubMetrics) as (keyof HubMetrics)[]) this.#addHub(hub, name);
    this.#apiCommands = new Counter({
      name: 'holdfast_api_commands_total',
      help: 'API methods that ran, those of a batch one by one',
      labelNames: ['method'],
      registers: [this.registry],
    });
    this.#apiErrors = new Counter({
      name: 'holdfast_api_errors_total',
      help: 'API methods that were answered with an error',
      labelNames: ['method', 'code'],
      registers: [this.registry],
    });
    this.#apiRefusals = new Counter({
      name: 'holdfast_api_refused_requests_total',
      help: 'API requests that were turned away before a method ran',
      labelNames: ['reason'],
      registers: [this.registry],
    });
    this.#addCounter({
      name: 'holdfast_refused_tokens_total',
      help: 'Tokens of clients that were refused',
      labelNames: ['reason'],
      read: (metric) => {
        for (const { refusedTokens } of tokens) addCounts(metric, 'reason', refusedTokens);
      },
    });
    this.#addCounter({
      name: 'holdfast_jwks_reads_total',
      help: 'Reads of key set endpoints',
      labelNames: ['outcome'],
      read: (metric) => {
        for (const { jwksReads } of tokens) addCounts(metric, 'outcome', jwksReads);
      },
    });
    this.#addCounter({
      name: 'holdfast_http_bad_requests_total',
      help: 'What came over a socket and was no HTTP request, or not in time',
      labelNames: ['reason'],
      read: (metric) => addCounts(metric, 'reason', badRequests),
    });
    this.#apiSeconds = new Histogram({
      name: 'holdfast_api_command_seconds',
      help: 'How long API methods took',
      labelNames: ['method'],
      buckets: [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
      registers: [this.registry],
    });
    this.#eventLoopDelay = monitorEventLoopDelay({ resolution: 20 });
    this.#eventLoopDelay.enable();
    this.#addProcess();
  }

  /** Counts one API method. `code` is 0 for success. */
  apiFinished(method: string, code: number, seconds: number): void {
    this.#apiCommands.inc({ method });
    this.#apiSeconds.observe({ method }, seconds);
    if (code !== 0) this.#apiErrors.inc({ method, code });
  }

  apiRefused(reason: string): void {
    this.#apiRefusals.inc({ reason });
  }

  /** The text that Prometheus reads. */
  render(): Promise<string> {
    return this.registry.metrics();
  }

  /** Stops measuring the event loop. */
  close(): void {
    this.#eventLoopDelay.disable();
  }

  #addHub(hub: HubMetrics, property: keyof HubMetrics): void {
    const spec = hubMetrics[property];
    const { name, help } = spec;
    if ('label' in spec) {
      const counter = hub[property] as LabelledCounter;
      this.#addCounter({
        name,
        help,
        labelNames: [spec.label],
        read: (metric) => addCounts(metric, spec.label, counter),
      });
    } else if (spec.kind === 'counter') {
      this.#addCounter({ name, help, read: (metric) => metric.inc(hub[property] as number) });
    } else {
      this.#addGauge({ name, help, read: (metric) => metric.set(hub[property] as number) });
    }
  }

  #addProcess(): void {
    this.#addGauge({
      name: 'holdfast_build_info',
      help: 'Always 1; the labels say what is running',
      labelNames: ['version', 'node'],
      read: (metric) => metric.set({ version, node: process.version }, 1),
    });
    this.#addGauge({
      name: 'holdfast_event_loop_delay_seconds',
      help: 'How late the event loop was since the last scrape; above 0.1 the node is overloaded',
      labelNames: ['quantile'],
      read: (metric) => {
        const delay = this.#eventLoopDelay;
        for (const quantile of [0.5, 0.99, 1]) {
          const nanoseconds = delay.count === 0 ? 0 : delay.percentile(quantile * 100);
          metric.set({ quantile }, nanoseconds / 1e9);
        }
        delay.reset();
      },
    });
    this.#addCounter({
      name: 'holdfast_process_cpu_seconds_total',
      help: 'CPU time of the process, user and system',
      read: (metric) => {
        const { user, system } = process.cpuUsage();
        metric.inc((user + system) / 1e6);
      },
    });
    this.#addGauge({
      name: 'holdfast_process_resident_memory_bytes',
      help: 'Memory of the process as the operating system counts it',
      read: (metric) => metric.set(process.memoryUsage.rss()),
    });
    this.#addGauge({
      name: 'holdfast_process_heap_bytes',
      help: 'JavaScript heap in use',
      read: (metric) => metric.set(process.memoryUsage().heapUsed),
    });
    this.#addGauge({
      name: 'holdfast_process_start_time_seconds',
      help: 'When the process started, in Unix seconds',
      read: (metric) => metric.set(Math.round(performance.timeOrigin / 1000)),
    });
    this.#addGauge({
      name: 'holdfast_process_open_fds',
      help: 'Open file descriptors, sockets among them (Linux)',
      read: async (metric) => {
        const descriptors = await readdir('/proc/self/fd').catch(() => undefined);
        if (descriptors) metric.set(descriptors.length);
      },
    });
    this.#addGauge({
      name: 'holdfast_process_max_fds',
      help: 'How many file descriptors the process may open (Linux)',
      read: async (metric) => {
        const limits = await readFile('/proc/self/limits', 'utf8').catch(() => '');
        const [, soft] = /^Max open files\s+(\d+)/m.exec(limits) ?? [];
        if (soft) metric.set(Number(soft));
      },
    });
  }

  #addCounter(options: MetricOptions<Counter>): void {
    const counter: Counter = new Counter({
      ...options,
      labelNames: options.labelNames ?? [],
      registers: [this.registry],
      collect: () => {
        counter.reset();
        return options.read(counter);
      },
    });
  }

  #addGauge(options: MetricOptions<Gauge>): void {
    const gauge: Gauge = new Gauge({
      ...options,
      labelNames: options.labelNames ?? [],
      registers: [this.registry],
      collect: () => options.read(gauge),
    });
  }
}

interface MetricOptions<Metric> {
  readonly name: string;
  readonly help: string;
  readonly labelNames?: readonly string[];
  /** Sets the metric to what is true now. */
  readonly read: (metric: Metric) => void | Promise<void>;
}

function addCounts(metric: Counter, label: string, { counts }: LabelledCounter): void {
  for (const [value, count] of counts) metric.inc({ [label]: value }, count);
}
