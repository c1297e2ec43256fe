import type { MetricReader } from './metric-reader.ts';

/** Names of the members of a type that are numbers. */
type NumberNames<Numbers> = {
  [Name in keyof Numbers]: Numbers[Name] extends number ? Name : never;
}[keyof Numbers];

interface NumberOptions {
  /** @defaultValue 'counter' */
  readonly kind?: 'counter' | 'gauge';
  /** What the number is multiplied by, to make seconds of milliseconds. @defaultValue 1 */
  readonly scale?: number;
}

/** Name, help and kind of the metric that every number of an object becomes. */
export type NumberTable<Numbers> = {
  readonly [Name in NumberNames<Numbers>]: readonly [
    name: string,
    help: string,
    options?: NumberOptions,
  ];
};

/** Registers a metric for each number of an object that is asked for when somebody scrapes. */
export function addNumbers<Numbers>(
  reader: MetricReader,
  table: NumberTable<Numbers>,
  read: () => Numbers | undefined,
): void {
  const entries = Object.entries<NumberTable<Numbers>[NumberNames<Numbers>]>(table);
  for (const [member, [name, help, { kind = 'counter', scale = 1 } = {}]] of entries) {
    reader[kind]({ name, help }, (add) => {
      const value = read()?.[member as keyof Numbers];
      if (typeof value === 'number') add(value * scale);
    });
  }
}
