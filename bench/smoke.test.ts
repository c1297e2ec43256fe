import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { runBench, saveResult, workloads, type BenchResult } from './bench-run.ts';
import { figure, formatAims, formatReport, judge } from './report.ts';
import { smokeScale } from './scale.ts';
import { targetNames } from './targets/target.ts';

describe('the benchmark', () => {
  test.for(workloads)('$name measures every target', async (workload) => {
    const progress: string[] = [];
    const result = await runBench({
      scale: smokeScale,
      targets: targetNames,
      workloads: [workload],
      progress: (text) => progress.push(text),
    });

    const [report] = result.reports;
    if (report === undefined) throw new Error('no report');
    expect(report.tables.length).toBeGreaterThan(0);
    for (const { rows, columns } of report.tables) {
      expect(rows.map(([target]) => target)).toEqual(targetNames);
      for (const row of rows) {
        expect(row).toHaveLength(columns.length);
        expect(row.join(' ')).not.toMatch(/NaN|Infinity|undefined/);
      }
    }
    expect(report.aims.length).toBeGreaterThan(0);
    for (const { measured } of report.aims) expect(measured.median).toBeTypeOf('number');
    for (const target of targetNames) expect(progress.join('\n')).toContain(target);
    expect(formatReport(report)).toContain(report.title);
    expect(saved(result)).toMatchObject({ reports: [{ name: workload.name }] });
  });

  test('a miss is called a miss, by the median of the rounds', () => {
    const settings = { name: 'ratio', bound: 1.15, direction: 'at most', unit: '×' } as const;
    const miss = judge(settings, [1.1, 1.2, 1.3]);
    const met = judge({ ...settings, direction: 'at least', bound: 0.5 }, [0.4, 0.5, 0.9]);
    expect([miss.isMet, met.isMet]).toEqual([false, true]);
    expect(formatAims([miss])).toMatch(/≤ 1\.15 × +1\.2 × +1\.1 … 1\.3 +MISS/);
    expect(formatAims([met])).toMatch(/≥ 0\.5 × +0\.5 × +0\.4 … 0\.9 +met/);
  });

  test('figures have three significant digits', () => {
    expect([9.876, 0.01234, 123.456, 12_345.6].map(figure)).toEqual([
      '9.88',
      '0.0123',
      '123',
      '12,346',
    ]);
  });
});

function saved(result: BenchResult): unknown {
  const folder = mkdtempSync(path.join(tmpdir(), 'holdfast-bench-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  return JSON.parse(readFileSync(saveResult(result, folder), 'utf8'));
}
