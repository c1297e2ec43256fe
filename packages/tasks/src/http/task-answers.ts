import { defined } from '@holdfast/http';
import type { z } from 'zod';
import type { OutputFollowers } from './output-stream.ts';
import type { outputQuery } from './schemas.ts';
import type { Continued } from '../task-reader.ts';
import type { Tasks } from '../tasks.ts';
import type { TaskFilter, TaskSnapshot } from '../task-reads.ts';

/** One task as it is answered. */
export function snapshotAnswer({ snapshot, ...rest }: Continued<TaskSnapshot>): object {
  return { task: snapshot, ...rest };
}

/** The filter that a list's query means. */
export function filterOf({
  cursor,
  ...filter
}: Omit<{ [Name in keyof TaskFilter]?: TaskFilter[Name] | undefined }, 'before'> & {
  readonly cursor?: string | undefined;
}): TaskFilter {
  return defined({ ...filter, before: cursor }) as TaskFilter;
}

/** A page of output, or all of it as it comes. */
export async function outputAnswer(
  { tasks, followers }: { readonly tasks: Tasks; readonly followers: OutputFollowers },
  id: string,
  how: { readonly query: z.output<typeof outputQuery>; readonly request: Request },
): Promise<unknown> {
  const { follow, after: asked, limit } = how.query;
  if (follow !== 'true') {
    const { snapshot, ...rest } = await tasks.outputSnapshot(
      id,
      defined({ after: asked, limit }) as { after?: number },
    );
    return { ...snapshot, ...rest };
  }
  // What an EventSource says when it comes back.
  const last = Number(how.request.headers.get('last-event-id') ?? Number.NaN);
  const after = Number.isSafeInteger(last) && last >= 0 ? last : (asked ?? 0);
  // A task that does not exist is refused before the stream begins.
  await tasks.readOutput(id, { after, limit: 1 });
  return followers.follow(id, { after, signal: how.request.signal });
}
