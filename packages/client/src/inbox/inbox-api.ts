import type { Notification, UnreadCounts, UserSettings } from '@holdfast/protocol/inbox';
import { ClientError } from '../client-error.ts';
import type { UserApi, UserApiCall } from '../user-api.ts';
import type { Loaded } from '../live/live-source.ts';
import type { Position } from '../wire.ts';
import { type InboxChange, type InboxFilter, type InboxState, maxItems } from './inbox-state.ts';

/** Most that the server gives in one page. */
const maxPage = 100;

export interface InboxPage {
  readonly items: readonly Notification[];
  readonly nextCursor: string | null;
}

interface Snapshot extends InboxPage {
  readonly unread: UnreadCounts;
  readonly version: number;
  readonly channel: string;
  readonly position: Position;
  readonly settings?: UserSettings;
}

/** What is to be read. */
export interface InboxView {
  readonly filter: InboxFilter;
  /** Also what the user has set. */
  readonly withSettings: boolean;
}

/** The user's operations of the inbox, as calls. */
export class InboxApi {
  readonly #api: UserApi;
  readonly #path: string;
  readonly #pageSize: number;

  constructor(
    api: UserApi,
    { path, pageSize }: { readonly path: string; readonly pageSize: number },
  ) {
    this.#api = api;
    this.#path = path;
    this.#pageSize = pageSize;
  }

  /** Reads as much as is known already, so that nothing that is shown goes away. */
  async load(
    { filter, withSettings }: InboxView,
    known: InboxState | undefined,
    signal: AbortSignal,
  ): Promise<Loaded<InboxState>> {
    const wanted = Math.max(known?.items.length ?? 0, this.#pageSize);
    const limit = Math.min(wanted, maxPage);
    const settings = withSettings ? { settings: 'true' } : {};
    const snapshot = (await this.#get('', { ...filter, limit, ...settings }, signal)) as Snapshot;
    const items = [...snapshot.items];
    let { nextCursor } = snapshot;
    while (nextCursor !== null && items.length < Math.min(wanted, maxItems)) {
      const page = await this.page({ filter, cursor: nextCursor }, signal);
      items.push(...page.items);
      nextCursor = page.nextCursor;
    }
    const { unread, version, channel, position } = snapshot;
    const missed =
      known === undefined || known.version === version
        ? []
        : await this.#missed(known.newestId, signal);
    const newestId = missed.at(-1)?.id ?? (await this.#newestId({ filter, items, known }, signal));
    const state = {
      filter,
      items,
      nextCursor,
      isListed: true,
      unread,
      version,
      newestId,
      missed,
      missedSince: known?.newestId,
      settings: snapshot.settings,
    };
    return { state, channel, position };
  }

  async page(
    { filter, cursor }: { readonly filter: InboxFilter; readonly cursor: string },
    signal: AbortSignal,
  ): Promise<InboxPage> {
    const query = { ...filter, cursor, limit: Math.max(this.#pageSize, 50) };
    return (await this.#get('/notifications', query, signal)) as InboxPage;
  }

  /** @returns the version that contains the change */
  async change(change: InboxChange, signal: AbortSignal): Promise<number> {
    const { path, ...call } = callFor(change);
    try {
      const answer = await this.#api.request({ path: `${this.#path}/${path}`, ...call, signal });
      return (answer as Pick<Snapshot, 'version'>).version;
    } catch (error) {
      if (!isFulfilledByAbsence(change) || !saysNotFound(error)) throw error;
      const snapshot = (await this.#get('', { limit: 1 }, signal)) as Snapshot;
      return snapshot.version;
    }
  }

  /** What a device has not acknowledged, oldest first. */
  async connect(device: string, signal: AbortSignal): Promise<readonly Notification[]> {
    const answer = await this.#api.request({
      path: `${this.#path}/connect`,
      body: { device },
      signal,
    });
    return (answer as { readonly notifications: readonly Notification[] }).notifications;
  }

  async acknowledge(device: string, ids: readonly string[], signal?: AbortSignal): Promise<void> {
    await this.#api.request({
      path: `${this.#path}/acknowledge`,
      body: { device, ids },
      ...(signal === undefined ? {} : { signal }),
    });
  }

  /** Whatever the list shows: what came after `newestId` and is unread. Oldest first. */
  async #missed(newestId: string, signal: AbortSignal): Promise<readonly Notification[]> {
    const missed: Notification[] = [];
    let cursor: string | null | undefined;
    while (cursor !== null && missed.length < maxItems) {
      const query = { status: 'unread', limit: maxPage, cursor } as const;
      const page = (await this.#get('/notifications', query, signal)) as InboxPage;
      const newer = page.items.filter(({ id }) => id > newestId);
      missed.push(...newer);
      cursor = newer.length < page.items.length ? null : page.nextCursor;
    }
    return missed.toReversed();
  }

  async #newestId(
    {
      filter,
      items,
      known,
    }: Pick<InboxState, 'filter' | 'items'> & {
      readonly known: InboxState | undefined;
    },
    signal: AbortSignal,
  ): Promise<string> {
    const isWhole = Object.values(filter).every((value) => value === undefined || value === 'all');
    if (known !== undefined) return isWhole ? newer(known.newestId, items[0]?.id) : known.newestId;
    if (isWhole) return items[0]?.id ?? '';
    const page = (await this.#get('/notifications', { limit: 1 }, signal)) as InboxPage;
    return page.items[0]?.id ?? '';
  }

  #get(
    path: string,
    query: InboxFilter & {
      readonly limit: number;
      readonly cursor?: string | undefined;
      readonly settings?: string;
    },
    signal: AbortSignal,
  ): Promise<unknown> {
    return this.#api.request({ path: `${this.#path}${path}`, query: { ...query }, signal });
  }
}

/** Of what is gone there is nothing left to do: it may be this very change whose answer was lost. */
function isFulfilledByAbsence({ type }: InboxChange): boolean {
  return type === 'delete' || type === 'archive' || type === 'read';
}

function saysNotFound(error: unknown): boolean {
  return error instanceof ClientError && error.details.reason === 'inbox_not_found';
}

function callFor(change: InboxChange): Pick<UserApiCall, 'path' | 'method' | 'body'> {
  switch (change.type) {
    case 'read_all': {
      const { upTo, category } = change;
      return { path: 'read-all', body: { upTo, ...(category === undefined ? {} : { category }) } };
    }
    case 'preferences':
      return { path: 'preferences', method: 'PATCH', body: change.change };
    case 'subscribe':
    case 'unsubscribe': {
      const method = change.type === 'subscribe' ? 'PUT' : 'DELETE';
      return { path: `topics/${encodeURIComponent(change.topic)}`, method };
    }
    case 'read':
    case 'unread':
    case 'archive':
    case 'unarchive':
    case 'delete':
      return { path: change.type, body: { ids: change.ids } };
  }
}

function newer(one: string, other = ''): string {
  return one > other ? one : other;
}
