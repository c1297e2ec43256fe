import { Counter, Gauge, type LabelValues, type Metric, type Registry } from 'prom-client';

export interface MetricName {
  readonly name: string;
  readonly help: string;
  /** @defaultValue [] */
  readonly labels?: readonly string[];
}

/** Reports one value, of the time series with these labels. */
export type AddValue = (value: number, labels?: LabelValues<string>) => void;
type Read = (add: AddValue) => void | Promise<void>;

/** A histogram that somebody else keeps: counts are not cumulative, the last is for all the rest. */
export interface KeptHistogram {
  readonly labels: LabelValues<string>;
  readonly counts: readonly number[];
  readonly sum: number;
}

/**
 * Registers metrics whose values live elsewhere as plain numbers. They are read when somebody asks,
 * so that counting costs nothing where it happens.
 */
export class MetricReader {
  readonly #registry: Registry;

  constructor(registry: Registry) {
    this.#registry = registry;
  }

  counter(metric: MetricName, read: Read): void {
    const counter: Counter = new Counter({
      ...this.#options(metric),
      collect: () => {
        counter.reset();
        return read((value, labels = {}) => counter.inc(labels, value));
      },
    });
  }

  gauge(metric: MetricName, read: Read): void {
    const gauge: Gauge = new Gauge({
      ...this.#options(metric),
      collect: () => {
        gauge.reset();
        return read((value, labels = {}) => gauge.set(labels, value));
      },
    });
  }

  histogram(
    { name, help, labels = [] }: MetricName,
    {
      bounds,
      read,
    }: { readonly bounds: readonly number[]; readonly read: () => readonly KeptHistogram[] },
  ): void {
    const metric = {
      name,
      help,
      type: 'histogram',
      aggregator: 'sum',
      labelNames: labels,
      reset() {},
      get: async () => ({
        name,
        help,
        type: 'histogram',
        aggregator: 'sum',
        values: read().flatMap((histogram) => seriesOf(name, bounds, histogram)),
      }),
    };
    // The library's own histogram cannot be filled from outside; the registry asks for no more than
    // this of a metric.
    this.#registry.registerMetric(metric as unknown as Metric);
  }

  #options({ name, help, labels = [] }: MetricName) {
    return { name, help, labelNames: labels, registers: [this.#registry] };
  }
}

function seriesOf(name: string, bounds: readonly number[], { labels, counts, sum }: KeptHistogram) {
  let total = 0;
  const buckets = [...bounds, '+Inf'].map((le, index) => {
    total += counts[index] ?? 0;
    return { metricName: `${name}_bucket`, labels: { ...labels, le }, value: total };
  });
  return [
    ...buckets,
    { metricName: `${name}_sum`, labels, value: sum },
    { metricName: `${name}_count`, labels, value: total },
  ];
}
