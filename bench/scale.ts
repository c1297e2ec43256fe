/** How big and how long; every workload takes its numbers from here. */
export interface Scale {
  readonly name: string;
  readonly fanOut: {
    readonly subscribers: number;
    readonly messageBytes: number;
    readonly rounds: number;
    /** Broadcasts of one measuring window. */
    readonly ticks: number;
    /** Least time from the start of one tick to the start of the next. */
    readonly tickIntervalMs: number;
  };
  readonly idle: {
    /** Connections at which memory is read, ascending. */
    readonly connections: readonly number[];
    readonly rounds: number;
    readonly pingIntervalMs: number;
    /** Time to sit idle before each reading. */
    readonly holdMs: number;
  };
  readonly connect: {
    readonly connections: number;
    readonly rounds: number;
    /** Connections being made at the same time. */
    readonly inFlight: number;
  };
}

export const fullScale: Scale = {
  name: 'full',
  fanOut: { subscribers: 5_000, messageBytes: 200, rounds: 7, ticks: 30, tickIntervalMs: 100 },
  // Held longer than the ping interval: everyone has been pinged and has answered.
  idle: { connections: [5_000, 10_000], rounds: 2, pingIntervalMs: 25_000, holdMs: 27_000 },
  connect: { connections: 5_000, rounds: 7, inFlight: 256 },
};

export const quickScale: Scale = {
  name: 'quick',
  fanOut: { subscribers: 1_000, messageBytes: 200, rounds: 3, ticks: 15, tickIntervalMs: 50 },
  idle: { connections: [1_000, 2_000], rounds: 1, pingIntervalMs: 25_000, holdMs: 2_000 },
  connect: { connections: 1_000, rounds: 3, inFlight: 128 },
};

/** Only shows that everything runs; its figures mean nothing. */
export const smokeScale: Scale = {
  name: 'smoke',
  fanOut: { subscribers: 40, messageBytes: 200, rounds: 2, ticks: 3, tickIntervalMs: 1 },
  // Long enough that a machine under load answers pings in time, short enough that some are sent.
  idle: { connections: [40, 80], rounds: 1, pingIntervalMs: 3_000, holdMs: 1_500 },
  connect: { connections: 40, rounds: 2, inFlight: 8 },
};
