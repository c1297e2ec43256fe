/** Order statistics over raw samples. Nothing here averages: a percentile is of the merged samples. */

function sorted(samples: Iterable<number>): Float64Array {
  return Float64Array.from(samples).toSorted();
}

/** The nearest-rank percentile of `samples`; `share` in [0, 1]. NaN without samples. */
export function percentile(samples: Iterable<number>, share: number): number {
  const ordered = sorted(samples);
  const rank = Math.ceil(share * ordered.length) - 1;
  return ordered[Math.max(0, rank)] ?? Number.NaN;
}

/** The middle of `samples`, between the two middle ones when their number is even. */
export function median(samples: Iterable<number>): number {
  const ordered = sorted(samples);
  const upper = ordered[Math.floor(ordered.length / 2)] ?? Number.NaN;
  const lower = ordered[Math.floor((ordered.length - 1) / 2)] ?? Number.NaN;
  return (lower + upper) / 2;
}

/** What repeated rounds of one measurement say together. */
export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

export function spreadOf(samples: readonly number[]): Spread {
  return { median: median(samples), min: Math.min(...samples), max: Math.max(...samples) };
}

/**
 * Divides round by round before taking the middle: two targets measured within seconds of each
 * other share the machine's mood of that moment, medians taken minutes apart do not.
 */
export function ratioPerRound(
  numerators: readonly number[],
  denominators: readonly number[],
): readonly number[] {
  if (numerators.length !== denominators.length) {
    throw new Error(
      `Ratio of ${numerators.length} rounds to ${denominators.length}: rounds must pair`,
    );
  }
  return numerators.map((numerator, round) => numerator / (denominators[round] ?? Number.NaN));
}
