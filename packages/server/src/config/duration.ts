const unitMs = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 } as const;
const durationPattern = /^-?(?:\d+(?:\.\d+)?(?:ms|s|m|h))+$/;
const partPattern = /(\d+(?:\.\d+)?)(ms|s|m|h)/g;

/**
 * A length of time in the configuration. Written as Go writes it (`300s`, `1m30s`, `720h`), which is
 * what Centrifugo's files hold; printed the same way, so that what is printed can be read again.
 */
export class Duration {
  /** Whole milliseconds; negative where an option says that this switches something off. */
  readonly ms: number;

  constructor(ms: number) {
    this.ms = ms;
  }

  /**
   * @returns `undefined` for anything that is not a duration in whole milliseconds. `0` and `-1`
   * need no unit; any other bare number is refused, because Centrifugo reads it as nanoseconds while
   * people mean seconds.
   */
  static parse(text: string): Duration | undefined {
    if (text === '0' || text === '-1') return new Duration(Number(text));
    if (!durationPattern.test(text)) return undefined;
    let ms = 0;
    for (const [, amount, unit] of text.matchAll(partPattern)) {
      ms += Number(amount) * unitMs[unit as keyof typeof unitMs];
    }
    // Decimal fractions are inexact in binary: 0.0011s is 1.1 ms, 1.001s must be 1001 ms.
    const whole = Math.round(ms);
    if (!Number.isSafeInteger(whole) || Math.abs(ms - whole) > 1e-6) return undefined;
    return new Duration(text.startsWith('-') ? -whole : whole);
  }

  /** In the largest unit that gives a whole number: `90s`, `5m`, `720h`. */
  toString(): string {
    if (this.ms === 0) return '0s';
    const unit = (['h', 'm', 's'] as const).find((unit) => this.ms % unitMs[unit] === 0) ?? 'ms';
    return `${this.ms / unitMs[unit]}${unit}`;
  }

  toJSON(): string {
    return this.toString();
  }
}
