import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import {
  type ProtocolErrorCode,
  disconnectCodes,
  errorCodes,
  reactionTo,
  reconnectsAfter,
  resubscribesAfter,
  unsubscribeCodes,
} from './index.ts';
import { type FieldSchema, maxSelfNesting, schemas } from './schema.ts';

const document = readFileSync(new URL('../../../docs/protocol.md', import.meta.url), 'utf8');

describe('the table of messages', () => {
  test.each(Object.values(schemas))('$name has each number once, in order', ({ fields }) => {
    const numbers = fields.map((field) => field.number);
    expect(new Set(numbers).size).toBe(numbers.length);
    expect(numbers).toEqual(numbers.toSorted((a, b) => a - b));
    // Field names go into JSON without escaping.
    for (const { name } of fields) expect(name).toMatch(/^[a-z_]+$/);
  });

  test('a list holds nothing that Protobuf would pack into one value', () => {
    for (const { fields } of Object.values(schemas)) {
      for (const field of fields.filter(({ rule }) => rule === 'repeated')) {
        expect(['string', 'message']).toContain(field.type);
      }
    }
  });

  test('only a filter contains itself, which is what bounds the stack', () => {
    const recursive = Object.values(schemas).filter(({ name, fields }) => {
      const seen = new Set<string>();
      const reaches = (field: FieldSchema): boolean => {
        if (field.type !== 'message' || seen.has(field.message.name)) return false;
        seen.add(field.message.name);
        return field.message.name === name || field.message.fields.some(reaches);
      };
      return fields.some(reaches);
    });
    expect(recursive.map(({ name }) => name)).toEqual(['FilterNode']);
  });
});

/** The cells of a table's rows, below a heading. */
function tableBelow(heading: string): string[][] {
  const [section = ''] = document.split(`${heading}\n`)[1]?.split(/\n#+ /) ?? [];
  const [, , ...rows] = section.split('\n').filter((line) => line.startsWith('|'));
  return rows.map((row) =>
    row
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );
}

describe('docs/protocol.md says what the code does', () => {
  test('messages', () => {
    const described = document
      .split('\n')
      .filter((line) => line.startsWith('- **'))
      .toSorted();
    const typeText = (field: FieldSchema): string => {
      const type = field.type === 'message' ? field.message.name : field.type;
      return { single: type, repeated: `list of ${type}`, map: `map of ${type}` }[field.rule];
    };
    const actual = Object.values(schemas).map(({ name, fields }) => {
      const list = fields.map(
        (field) =>
          `\`${field.name}\` ${field.number} ${typeText(field)}${field.isAlwaysPresent ? ' (always)' : ''}`,
      );
      return `- **${name}**: ${list.join(', ') || 'none'}`;
    });
    expect(described).toEqual(actual.toSorted());
  });

  test('errors', () => {
    expect(tableBelow('### Errors')).toEqual(
      Object.values(errorCodes).map((row) => [
        String(row.code),
        row.message,
        row.temporary ? 'yes' : 'no',
        reactionTo(row),
      ]),
    );
  });

  test('unsubscribe pushes', () => {
    expect(tableBelow('### Unsubscribe pushes')).toEqual(
      Object.values(unsubscribeCodes).map(({ code, reason }) => [
        String(code),
        reason,
        resubscribesAfter(code) ? 'subscribes again' : 'stays unsubscribed',
      ]),
    );
  });

  test('disconnects', () => {
    expect(tableBelow('### Disconnects')).toEqual(
      Object.values(disconnectCodes).map(({ code, reason }) => [
        String(code),
        reason,
        reconnectsAfter(code) ? 'reconnects' : 'stays disconnected',
      ]),
    );
  });

  test('refusals', () => {
    const codes: Readonly<Record<ProtocolErrorCode, true>> = {
      blank_frame: true,
      malformed: true,
      wrong_type: true,
      message_too_long: true,
      payload_not_json: true,
      too_deep: true,
    };
    expect(tableBelow('## What is refused, and how').map(([code]) => code)).toEqual(
      Object.keys(codes),
    );
    expect(document).toContain(`at most ${maxSelfNesting} deep`);
  });
});
