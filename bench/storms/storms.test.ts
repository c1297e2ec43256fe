import { expect, test } from 'vitest';
import type { Table } from '../report.ts';
import { avalanche } from './avalanche.ts';
import { jitter } from './jitter.ts';
import { reconnect } from './reconnect.ts';
import { smokeStorms } from './storm-scale.ts';

/** The figures of a row by the name of their column. */
function row({ columns, rows }: Table, name: string): Readonly<Record<string, string | undefined>> {
  const cells = rows.find(([first]) => first === name) ?? [];
  expect(cells.join(' ')).not.toMatch(/NaN|Infinity|undefined/);
  return Object.fromEntries(columns.map((column, index) => [column, cells[index]]));
}

const everything = { delivered: '100 %', repeated: '0' };
const progress = (): void => undefined;

test(
  'reconnect: everybody recovers, with no more reads than clients',
  { timeout: 60_000 },
  async () => {
    const { table } = await reconnect(smokeStorms.reconnect, progress);
    for (const admission of ['on', 'off']) {
      const figures = row(table, admission);
      expect(figures).toMatchObject({ ...everything, 'not recovered': '0' });
      // So few clients hardly meet; that those who do share their reads is shown beside StreamReader.
      expect(Number(figures['broker reads'])).toBeLessThanOrEqual(smokeStorms.reconnect.clients);
    }
  },
);

test(
  'jitter: what is lost where nothing is recovered is delivered here',
  { timeout: 60_000 },
  async () => {
    const { table } = await jitter(smokeStorms.jitter, progress);
    expect(row(table, 'holdfast')).toMatchObject({ ...everything, lost: '0' });
    expect(Number(row(table, 'holdfast')['drops'])).toBeGreaterThan(0);
    expect(Number(row(table, 'socket.io')['lost'])).toBeGreaterThan(0);
  },
);

test('avalanche: everybody comes back', async () => {
  const { table } = await avalanche(smokeStorms.avalanche, progress);
  const caughtUp = { 'missed and delivered': '100 %', repeated: '0' };
  expect(row(table, 'holdfast')).toMatchObject({ 'never back': '0 (0.00 %)', ...caughtUp });
  expect(row(table, 'socket.io')).toMatchObject({ 'missed and delivered': '0.00 %' });
});
