import type { HubMetrics, JwtMetrics, LabelledCounter } from '@holdfast/hub';
import type { InboxMetrics } from '@holdfast/inbox';
import type { TaskMetrics } from '@holdfast/tasks';
import { Counter, Histogram, Registry } from 'prom-client';
import type { EventHookMetrics, HooksMetrics } from '../hooks/index.ts';
import { addEventHookMetrics } from './event-hook-metrics.ts';
import { addHookMetrics } from './hook-metrics.ts';
import { addHubMetrics } from './hub-metrics.ts';
import { addInboxMetrics } from './inbox-metrics.ts';
import { MetricReader, type AddValue } from './metric-reader.ts';
import { addProcessMetrics } from './process-metrics.ts';
import { addStoreMetrics, type CountingStore } from './store-metrics.ts';
import { addTaskMetrics } from './task-metrics.ts';

/** What is counted elsewhere and read at scrape time. */
export interface MetricSources {
  readonly hub: HubMetrics;
  /** What came over sockets and was no request, by reason. */
  readonly badRequests: LabelledCounter;
  /** One per token verifier. */
  readonly tokens: () => readonly JwtMetrics[];
  readonly hooks: () => HooksMetrics;
  readonly eventHooks: () => readonly EventHookMetrics[];
  readonly store: () => CountingStore | undefined;
  readonly inbox: () => InboxMetrics | undefined;
  readonly tasks: () => TaskMetrics | undefined;
  /** Requests of users that were beyond the limit; undefined where there is nothing to request. */
  readonly rateLimitedRequests: () => number | undefined;
}

/**
 * The metrics of one server, in Prometheus' format. Channels, users and clients are never labels:
 * their number has no bound.
 */
export class ServerMetrics {
  readonly registry: Registry = new Registry();
  readonly contentType: string = this.registry.contentType;
  readonly #apiCommands: Counter<'method'>;
  readonly #apiErrors: Counter<'method' | 'code'>;
  readonly #apiRefusals: Counter<'reason'>;
  readonly #apiSeconds: Histogram<'method'>;
  readonly #stopMeasuring: () => void;

  constructor(sources: MetricSources) {
    const { hub, badRequests, tokens, hooks, eventHooks, store, inbox, tasks } = sources;
    const { rateLimitedRequests } = sources;
    const reader = new MetricReader(this.registry);
    addHubMetrics(reader, hub);
    reader.counter(
      {
        name: 'holdfast_refused_tokens_total',
        help: 'Tokens of clients that were refused',
        labels: ['reason'],
      },
      (add) => {
        for (const { refusedTokens } of tokens()) addCounts(add, 'reason', refusedTokens);
      },
    );
    reader.counter(
      {
        name: 'holdfast_jwks_reads_total',
        help: 'Reads of key set endpoints',
        labels: ['outcome'],
      },
      (add) => {
        for (const { jwksReads } of tokens()) addCounts(add, 'outcome', jwksReads);
      },
    );
    addHookMetrics(reader, hooks);
    addEventHookMetrics(reader, eventHooks);
    addStoreMetrics(reader, store);
    addInboxMetrics(reader, inbox);
    addTaskMetrics(reader, tasks);
    reader.counter(
      {
        name: 'holdfast_http_bad_requests_total',
        help: 'What came over a socket and was no HTTP request, or not in time',
        labels: ['reason'],
      },
      (add) => addCounts(add, 'reason', badRequests),
    );
    reader.counter(
      {
        name: 'holdfast_rate_limited_requests_total',
        help: 'Requests of users over plain HTTP beyond client.http_rate_limit',
      },
      (add) => {
        const count = rateLimitedRequests();
        if (count !== undefined) add(count);
      },
    );
    const registers = [this.registry];
    this.#apiCommands = new Counter({
      name: 'holdfast_api_commands_total',
      help: 'API methods that ran, those of a batch one by one',
      labelNames: ['method'],
      registers,
    });
    this.#apiErrors = new Counter({
      name: 'holdfast_api_errors_total',
      help: 'API methods that were answered with an error',
      labelNames: ['method', 'code'],
      registers,
    });
    this.#apiRefusals = new Counter({
      name: 'holdfast_api_refused_requests_total',
      help: 'API requests that were turned away before a method ran',
      labelNames: ['reason'],
      registers,
    });
    this.#apiSeconds = new Histogram({
      name: 'holdfast_api_command_seconds',
      help: 'How long API methods took',
      labelNames: ['method'],
      buckets: [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
      registers,
    });
    this.#stopMeasuring = addProcessMetrics(reader);
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
    this.#stopMeasuring();
  }
}

function addCounts(add: AddValue, label: string, { counts }: LabelledCounter): void {
  for (const [value, count] of counts) add(count, { [label]: value });
}
