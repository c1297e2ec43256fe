import type { InboxEvent, UnreadCounts } from '@holdfast/protocol/inbox';
import type { NotificationTable } from './inbox-module.ts';
import { withMore, type EventBody } from './mailbox.ts';

/** What changes look at of a notification. */
export type Marks = Pick<
  NotificationTable,
  'id' | 'user_id' | 'category' | 'read_at' | 'archived_at'
>;

/** What changes set of a notification; null deletes it. */
export type MarksSet = Partial<
  Pick<NotificationTable, 'read_at' | 'archived_at' | 'escalate_at'>
> | null;

/** One kind of change, as a rule for each notification. */
export interface ChangeKind {
  /** Whether there is something to do. */
  readonly applies: (marks: Marks) => boolean;
  readonly set: (now: number) => MarksSet;
  readonly event: (
    ids: readonly string[],
    context: { readonly now: number; readonly rowOf: (id: string) => NotificationTable },
  ) => EventBody;
  /** Whether the event shows the notifications. */
  readonly showsContent?: boolean;
}

/** What a user wants done. */
export interface Change {
  readonly user: string;
  readonly kind: ChangeKind;
  readonly selection:
    | { readonly ids: readonly string[] }
    /** All that are unread and not archived, up to and including one, of one category. */
    | { readonly upTo: string | undefined; readonly category: string | undefined };
}

/** What a user's operation did. Doing it again changes nothing and says so. */
export interface ChangeResult {
  readonly changed: readonly string[];
  /** Ids that are not the user's, or no longer there. */
  readonly notFound: readonly string[];
  readonly unread: UnreadCounts;
  readonly version: number;
}

/** Ids in one event: 64 KiB hold more than a thousand, and one is plenty for a screen. */
const maxEventIds = 500;
/**
 * Whole notifications in one event, as JSON in bytes. The largest one alone may have more; with its
 * counts it fits into 64 KiB, too.
 */
const maxEventBytes = 32_768;

/**
 * A user's inbox in the memory of a transaction that has locked it: changes are made here one after
 * another, and written together.
 */
export class InboxDraft {
  readonly #marks: Map<string, Marks>;
  readonly #contents: ReadonlyMap<string, NotificationTable>;
  readonly #now: number;
  readonly #sets = new Map<string, MarksSet>();
  readonly #events: InboxEvent[] = [];
  #unread: UnreadCounts;
  #version: number;

  /** @param state what is stored: `marks` and `contents` of all that the changes name */
  constructor(state: {
    readonly marks: Iterable<Marks>;
    readonly contents: ReadonlyMap<string, NotificationTable>;
    readonly unread: UnreadCounts;
    readonly version: number;
    readonly now: number;
  }) {
    this.#marks = new Map(Array.from(state.marks, (one) => [one.id, one]));
    this.#contents = state.contents;
    this.#unread = state.unread;
    this.#version = state.version;
    this.#now = state.now;
  }

  /** What is to be written of each notification that changed. */
  get sets(): ReadonlyMap<string, MarksSet> {
    return this.#sets;
  }

  /** One for each version that the inbox has come to. */
  get events(): readonly InboxEvent[] {
    return this.#events;
  }

  make({ kind, selection }: Change): ChangeResult {
    const wanted = 'ids' in selection ? selection.ids : this.#unreadIds(selection);
    const found = wanted.flatMap((id) => this.#marks.get(id) ?? []);
    const changed = found.filter((marks) => kind.applies(marks));
    for (const marks of changed) this.#set(marks, kind.set(this.#now));
    const ids = changed.map(({ id }) => id);
    const context = { now: this.#now, rowOf: (id: string) => this.#rowOf(id) };
    if (ids.length > 0) this.#announce(piecesOf(ids, (some) => kind.event(some, context)));
    return {
      changed: ids,
      notFound: wanted.filter((id) => !found.some((marks) => marks.id === id)),
      unread: this.#unread,
      version: this.#version,
    };
  }

  #unreadIds(range: {
    readonly upTo: string | undefined;
    readonly category: string | undefined;
  }): readonly string[] {
    const { upTo, category } = range;
    return [...this.#marks.values()]
      .filter((marks) => countOf(marks) === 1)
      .filter((marks) => upTo === undefined || marks.id <= upTo)
      .filter((marks) => category === undefined || marks.category === category)
      .map(({ id }) => id);
  }

  #set(before: Marks, set: MarksSet): void {
    const { id, category } = before;
    const after = set === null ? undefined : { ...before, ...set };
    if (after === undefined) this.#marks.delete(id);
    else this.#marks.set(id, after);
    this.#sets.set(id, set === null ? null : { ...this.#sets.get(id), ...set });
    const more = (after === undefined ? 0 : countOf(after)) - countOf(before);
    if (more !== 0) this.#unread = withMore(this.#unread, category, more);
  }

  #announce(bodies: readonly EventBody[]): void {
    for (const body of bodies) {
      this.#version += 1;
      this.#events.push({ ...body, version: this.#version, unread: this.#unread });
    }
  }

  #rowOf(id: string): NotificationTable {
    const row = this.#contents.get(id);
    if (row === undefined) throw new Error(`the content of ${id} was not read`);
    return { ...row, ...this.#marks.get(id) };
  }
}

/** What a notification counts. */
function countOf(marks: Marks): number {
  return Number(marks.read_at === null && marks.archived_at === null);
}

/** A change of many ids as several, each short enough for an event. */
function piecesOf(
  ids: readonly string[],
  body: (ids: readonly string[]) => EventBody,
): readonly EventBody[] {
  const whole = body(ids);
  if (ids.length <= 1 || (ids.length <= maxEventIds && isShort(whole))) return [whole];
  const middle = Math.ceil(ids.length / 2);
  return [...piecesOf(ids.slice(0, middle), body), ...piecesOf(ids.slice(middle), body)];
}

function isShort(body: EventBody): boolean {
  if (body.type !== 'unarchived') return true;
  return Buffer.byteLength(JSON.stringify(body)) <= maxEventBytes;
}
