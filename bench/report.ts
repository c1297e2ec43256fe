/**
 * What a run found: tables of figures, and aims that are met or missed.
 *
 * @module
 */
import { spreadOf, type Spread } from './statistics.ts';

export interface Table {
  readonly title: string;
  /** First the row's name, then one per figure, with units. */
  readonly columns: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

export interface Aim {
  readonly name: string;
  readonly bound: number;
  /** Whether the measured figure has to stay below the bound or reach it. */
  readonly direction: 'at most' | 'at least';
  /** Over the rounds; the verdict goes by the median. */
  readonly measured: Spread;
  readonly unit: string;
  readonly isMet: boolean;
}

export interface WorkloadReport {
  readonly name: string;
  readonly title: string;
  /** How it was measured: what stamped the clocks, what was warmed up, what was left out. */
  readonly notes: readonly string[];
  readonly tables: readonly Table[];
  readonly aims: readonly Aim[];
  /** Every round's figures, for whoever wants to check the medians. */
  readonly rounds: readonly object[];
}

export interface AimSettings {
  readonly name: string;
  readonly bound: number;
  readonly direction: Aim['direction'];
  readonly unit: string;
}

export function judge(settings: AimSettings, rounds: readonly number[]): Aim {
  const measured = spreadOf(rounds);
  const isMet =
    settings.direction === 'at most'
      ? measured.median <= settings.bound
      : measured.median >= settings.bound;
  return { ...settings, measured, isMet };
}

/** Three significant digits, or whole thousands-separated numbers from 1,000. */
export function figure(value: number): string {
  const rounded = value >= 1_000 ? Math.round(value) : Number(value.toPrecision(3));
  return rounded.toLocaleString('en-US', { maximumFractionDigits: 20 });
}

export function formatTable({ title, columns, rows }: Table): string {
  const lines = [columns, ...rows];
  const widths = columns.map((_, column) =>
    Math.max(...lines.map((cells) => (cells[column] ?? '').length)),
  );
  const format = (cells: readonly string[]): string =>
    cells
      .map((cell, column) =>
        column === 0 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0),
      )
      .join('  ');
  const rule = widths.map((width) => '─'.repeat(width)).join('  ');
  return [title, format(columns), rule, ...rows.map(format)].join('\n');
}

export function formatAims(aims: readonly Aim[]): string {
  return formatTable({
    title: 'Aims',
    columns: ['aim', 'bound', 'measured', 'rounds from … to', 'verdict'],
    rows: aims.map(({ name, bound, direction, measured, unit, isMet }) => [
      name,
      `${direction === 'at most' ? '≤' : '≥'} ${figure(bound)} ${unit}`,
      `${figure(measured.median)} ${unit}`,
      `${figure(measured.min)} … ${figure(measured.max)}`,
      isMet ? 'met' : 'MISS',
    ]),
  });
}

export function formatReport({ title, notes, tables }: WorkloadReport): string {
  return [
    `── ${title} `.padEnd(100, '─'),
    ...tables.map(formatTable),
    notes.map((note) => `· ${note}`).join('\n'),
  ].join('\n\n');
}
