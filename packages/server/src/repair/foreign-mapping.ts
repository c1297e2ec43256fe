import type { ForeignTable } from '@holdfast/tasks';
import { z } from 'zod';
import { parseConfigFile } from '../config/config-file.ts';
import { Duration } from '../config/duration.ts';

/** A table of another product, and where its database is. */
export interface ForeignMapping {
  /** `postgres://…`, or `sqlite:` and a path. May hold a password. */
  readonly database: string;
  readonly table: ForeignTable;
}

const duration = z.string().transform((text, context) => {
  const parsed = Duration.parse(text);
  if (parsed !== undefined && parsed.ms >= 1_000) return parsed;
  context.addIssue({ code: 'custom', message: 'must be a duration of a second or more: "1h"' });
  return z.NEVER;
});

const column = z.string().min(1);

const mappingSchema = z.strictObject({
  database: z.string().min(1).optional(),
  table: z.string().min(1),
  id_column: column.optional(),
  status_column: column,
  live_statuses: z.array(z.string()).min(1),
  timestamp_columns: z.array(column).min(1),
  stale_after: duration,
  healed_status: z.string(),
  error_column: column.optional(),
});

/**
 * Reads the description of a foreign table (YAML, JSON or TOML, by the name of the file).
 * @param fallback - the database, where the description names none
 * @returns a sentence when it cannot be used; never repeats the address of the database
 */
export function parseForeignMapping(
  file: string,
  text: string,
  fallback: string | undefined,
): ForeignMapping | string {
  const parsed = parseConfigFile(file, text);
  if ('problem' in parsed) {
    const { problem, reason, remedy } = parsed.problem;
    return `${file} ${problem}: ${reason}. ${remedy}`;
  }
  const result = mappingSchema.safeParse(parsed.section);
  if (!result.success) {
    const [issue] = result.error.issues;
    const where = issue?.path.join('.') ?? '';
    return `${file}: ${where === '' ? 'it' : where}: ${issue?.message ?? 'cannot be used'}. See docs/tasks.md#repair.`;
  }
  const mapping = result.data;
  const database = mapping.database ?? fallback;
  if (database === undefined || database === '') {
    return `${file}: database is missing: write it there, or set HOLDFAST_FOREIGN_DATABASE.`;
  }
  return {
    database,
    table: {
      table: mapping.table,
      ...(mapping.id_column !== undefined && { idColumn: mapping.id_column }),
      statusColumn: mapping.status_column,
      liveStatuses: mapping.live_statuses,
      timestampColumns: mapping.timestamp_columns,
      staleAfterMs: mapping.stale_after.ms,
      healedStatus: mapping.healed_status,
      ...(mapping.error_column !== undefined && { errorColumn: mapping.error_column }),
    },
  };
}
