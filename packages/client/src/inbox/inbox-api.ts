import type { UserApi } from '../user-api.ts';
import type { Loaded } from '../live/live-source.ts';
import type { Position } from '../wire.ts';
import { type InboxChange, type InboxFilter, type InboxState, maxItems } from './inbox-state.ts';
import type { Notification, UnreadCounts } from './notification.ts';

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
    { filter, known }: { readonly filter: InboxFilter; readonly known: InboxState | undefined },
    signal: AbortSignal,
  ): Promise<Loaded<InboxState>> {
    const wanted = Math.max(known?.items.length ?? 0, this.#pageSize);
    const limit = Math.min(wanted, maxPage);
    const snapshot = (await this.#get('', { ...filter, limit }, signal)) as Snapshot;
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
    const list = { filter, items, nextCursor, isListed: true };
    const missedSince = known?.newestId;
    const state = { ...list, unread, version, newestId, missed, missedSince };
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
    const { type } = change;
    const path = type === 'read_all' ? 'read-all' : type;
    const body =
      type === 'read_all'
        ? {
            upTo: change.upTo,
            ...(change.category === undefined ? {} : { category: change.category }),
          }
        : { ids: change.ids };
    const answer = await this.#api.request({ path: `${this.#path}/${path}`, body, signal });
    return (answer as { readonly version: number }).version;
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

  async acknowledge(device: string, ids: readonly string[], signal: AbortSignal): Promise<void> {
    await this.#api.request({ path: `${this.#path}/acknowledge`, body: { device, ids }, signal });
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
    query: InboxFilter & { readonly limit: number; readonly cursor?: string | undefined },
    signal: AbortSignal,
  ): Promise<unknown> {
    return this.#api.request({ path: `${this.#path}${path}`, query: { ...query }, signal });
  }
}

function newer(one: string, other = ''): string {
  return one > other ? one : other;
}
