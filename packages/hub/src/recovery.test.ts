import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { isSameEpoch, recoverCache, recoverStream } from './recovery.ts';

function pageOf(offsets: readonly number[], top: number, epoch = 'a') {
  return {
    publications: offsets.map((offset) => ({ offset })),
    position: { offset: top, epoch },
  };
}

describe('stream recovery', () => {
  test.each([
    { what: 'nothing was missed', since: 5, page: pageOf([], 5), recovered: true },
    { what: 'everything missed is there', since: 3, page: pageOf([4, 5], 5), recovered: true },
    { what: 'the first one missed is gone', since: 2, page: pageOf([4, 5], 5), recovered: false },
    { what: 'the page ends before the top', since: 3, page: pageOf([4, 5], 6), recovered: false },
    { what: 'history is gone', since: 3, page: pageOf([], 5), recovered: false },
    { what: 'the position lies in the future', since: 9, page: pageOf([], 5), recovered: false },
  ])('$what', ({ since, page, recovered }) => {
    expect(recoverStream({ offset: since, epoch: 'a' }, page)).toEqual({
      recovered,
      publications: recovered ? page.publications : [],
    });
  });

  test('another epoch is never recovered, the empty one means any', () => {
    expect(recoverStream({ offset: 5, epoch: 'b' }, pageOf([], 5)).recovered).toBe(false);
    expect(recoverStream({ offset: 5, epoch: '' }, pageOf([], 5)).recovered).toBe(true);
  });

  test('the epoch of a client that was told to forget its state never matches', () => {
    expect(isSameEpoch('_', 'a')).toBe(false);
  });

  test('succeeds exactly when the page closes the gap', () => {
    const window = fc.record({ first: fc.integer({ min: 1, max: 20 }), top: fc.nat(20) });
    fc.assert(
      fc.property(
        window,
        fc.nat(22),
        fc.integer({ min: 1, max: 10 }),
        ({ first, top }, since, limit) => {
          // What a broker answers: what it kept after the asked offset, the oldest `limit` of it.
          const kept = Array.from({ length: Math.max(0, top - first + 1) }, (_, i) => first + i);
          const page = pageOf(kept.filter((offset) => offset > since).slice(0, limit), top);
          const missed = top - since;
          const isWhole = missed === 0 || (missed > 0 && since + 1 >= first && missed <= limit);
          const { recovered, publications } = recoverStream({ offset: since, epoch: 'a' }, page);
          expect(recovered).toBe(isWhole);
          expect(publications).toHaveLength(isWhole ? missed : 0);
        },
      ),
    );
  });
});

describe('cache recovery', () => {
  const top = { offset: 5, epoch: 'a' };
  const latest = { offset: 5 };

  test('sends the latest, whatever was missed before it', () => {
    expect(recoverCache({ offset: 1, epoch: 'b' }, latest, top)).toEqual({
      recovered: true,
      publications: [latest],
    });
    expect(recoverCache(undefined, latest, top).publications).toEqual([latest]);
  });

  test('sends nothing to a client that has it', () => {
    expect(recoverCache(top, latest, top)).toEqual({ recovered: true, publications: [] });
  });

  test('fails when there is nothing to send', () => {
    expect(recoverCache({ offset: 4, epoch: 'a' }, undefined, top).recovered).toBe(false);
  });
});
