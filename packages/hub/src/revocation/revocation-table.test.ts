import {
  array,
  assert,
  constantFrom,
  integer,
  property,
  record,
  shuffledSubarray,
} from 'fast-check';
import { expect, test } from 'vitest';
import type { Revocation } from '../ports/revocation-store.ts';
import { RevocationTable } from './revocation-table.ts';

const kind = constantFrom('user', 'token', 'tokens_of_user');
const subject = constantFrom('a', 'b', 'user a', '__proto__');
const revocations = array(
  record({
    kind,
    subject,
    expireAt: integer({ min: 0, max: 3 }),
    changedAt: integer({ min: 0, max: 5 }),
  }),
  { maxLength: 30 },
);

function contents(table: RevocationTable): readonly Revocation[] {
  const { revocations: all } = table.page(0, Infinity);
  return all.toSorted((left, right) => (JSON.stringify(left) < JSON.stringify(right) ? -1 : 1));
}

test('tables that got the same, in any order and any number of times, are the same', () => {
  assert(
    property(
      revocations.chain((all) =>
        shuffledSubarray(all, { minLength: all.length }).map((mixed) => ({ all, mixed })),
      ),
      ({ all, mixed }) => {
        const [one, other] = [new RevocationTable(), new RevocationTable()];
        for (const each of all) one.put(each);
        for (const each of [...mixed, ...all]) other.put(each);
        expect(contents(other)).toEqual(contents(one));
      },
    ),
  );
});

test('pages leave nothing out that stays, whatever changes meanwhile', () => {
  assert(
    property(revocations, revocations, integer({ min: 1, max: 4 }), (before, meanwhile, limit) => {
      const table = new RevocationTable();
      for (const each of before) table.put(each);
      const copy = new RevocationTable();
      const changes = [...meanwhile];
      let after: number | undefined = 0;
      while (after !== undefined) {
        const page = table.page(after, limit);
        for (const each of page.revocations) copy.put(each);
        after = page.after;
        const change = changes.pop();
        // A change reaches both, as an order to all nodes does.
        if (change !== undefined) for (const each of [table, copy]) each.put(change);
      }
      expect(contents(copy)).toEqual(contents(table));
    }),
  );
});

test('sweeping leaves what is in force, and what was lifted within the hour', () => {
  const table = new RevocationTable();
  const now = 10 * 3_600_000;
  const at = (name: string, expireAt: number, changedAt: number): Revocation => ({
    kind: 'user',
    subject: name,
    expireAt,
    changedAt,
  });
  table.put(at('for ever', 0, 0));
  table.put(at('to come', now / 1000 + 1, 0));
  table.put(at('lifted just now', 1, now - 3_599_999));
  table.put(at('lifted long ago', 1, now - 3_600_000));
  table.sweep(now);
  expect(contents(table).map(({ subject: name }) => name)).toEqual([
    'for ever',
    'lifted just now',
    'to come',
  ]);
  expect(table.find('user', 'for ever', now)).toBeDefined();
  expect(table.find('user', 'lifted just now', now)).toBeUndefined();
  expect(table.find('token', 'for ever', now)).toBeUndefined();
});
