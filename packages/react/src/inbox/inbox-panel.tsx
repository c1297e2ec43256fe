import { type MouseEvent, type ReactNode, useEffect, useId, useMemo, useState } from 'react';
import type { InboxFilter, Notification } from '@holdfast/client/inbox';
import { Icon } from '../theme/icons.tsx';
import { useListFocus } from '../theme/list-focus.ts';
import { ThemeStyle } from '../theme/theme-style.tsx';
import { inboxCss } from './inbox-css.ts';
import { InboxItem, type InboxItemActions } from './inbox-item.tsx';
import { defaultLabels, type InboxLabels, LabelsContext, useLabels } from './inbox-labels.ts';
import { useInboxStore } from './inbox-provider.tsx';
import { useInbox } from './use-inbox.ts';

export interface InboxPanelProps {
  /** Words in another language; those that are missing are English. */
  readonly labels?: Partial<InboxLabels> | undefined;
  /**
   * A notification was clicked, and is marked as read. A router calls `event.preventDefault()` and
   * shows its page instead of loading it.
   */
  readonly onOpen?: ((notification: Notification, event: MouseEvent) => void) | undefined;
  /** Shows a button that closes what the panel is in. */
  readonly onClose?: (() => void) | undefined;
  /** Of the page's Content-Security-Policy, where that asks for one. */
  readonly nonce?: string | undefined;
  /** Of the element around everything. */
  readonly className?: string | undefined;
}

/** The user's notifications, to stand in a page. For one that is opened, see `InboxDrawer`. */
export function InboxPanel({ labels, nonce, className = '', ...rest }: InboxPanelProps): ReactNode {
  return (
    <LabelsContext value={{ ...defaultLabels, ...labels }}>
      <ThemeStyle name="inbox" css={inboxCss} nonce={nonce} />
      <PanelContent className={`hf hf-panel ${className}`} {...rest} />
    </LabelsContext>
  );
}

const filters = ['all', 'unread', 'archived'] as const;

function PanelContent({
  onOpen,
  onClose,
  className,
}: Pick<InboxPanelProps, 'onOpen' | 'onClose' | 'className'>): ReactNode {
  const labels = useLabels();
  const inbox = useInbox();
  const headingId = useId();
  const [hasFailed, setFailed] = useState(false);
  const { items, status, unread, filter } = inbox;
  const focus = useListFocus<HTMLUListElement>(
    items.map(({ id }) => id),
    '.hf-headline',
  );
  const store = useInboxStore();
  const attempt = (change: Promise<void>): void => {
    setFailed(false);
    change.catch(() => setFailed(true));
  };
  // The same for as long as can be, so that one notification's change does not draw all of them.
  const actions = useMemo(
    (): InboxItemActions => ({
      onRead: ({ id }, isRead) => attempt(isRead ? store.markRead([id]) : store.markUnread([id])),
      onArchive: ({ id }, isArchived) =>
        attempt(isArchived ? store.archive([id]) : store.unarchive([id])),
      onOpen: (one, event) => onOpen?.(one, event),
    }),
    [store, onOpen],
  );
  return (
    <section className={className} aria-labelledby={headingId}>
      <div className="hf-head">
        <h2 id={headingId}>{labels.title}</h2>
        <button
          type="button"
          className="hf-button"
          disabled={unread.total === 0}
          onClick={() => attempt(inbox.readAll(filter.category))}
        >
          {labels.markAllRead}
        </button>
        {onClose !== undefined && (
          <button
            type="button"
            className="hf-icon-button"
            aria-label={labels.close}
            onClick={onClose}
          >
            <Icon name="close" />
          </button>
        )}
      </div>
      <Filters filter={filter} unread={unread.total} onChange={(next) => inbox.setFilter(next)} />
      <Notices status={status} hasFailed={hasFailed} onRetry={() => inbox.retry()} />
      <div className="hf-scroll" aria-busy={!inbox.isListed && status !== 'failed'}>
        {items.length > 0 && (
          // The role is not idle: Safari takes lists without bullets for no lists.
          <ul
            ref={focus.list}
            role="list"
            className="hf-list"
            aria-labelledby={headingId}
            onKeyDown={focus.onKeyDown}
          >
            {items.map((notification) => (
              <InboxItem
                key={notification.id}
                notification={notification}
                isCurrent={notification.id === focus.currentId}
                onFocus={focus.onFocus}
                actions={actions}
              />
            ))}
          </ul>
        )}
        {inbox.isListed && items.length === 0 && !inbox.hasMore && <Empty filter={filter} />}
        {!inbox.isListed && status !== 'failed' && <Skeleton />}
        {inbox.hasMore && (
          <button
            type="button"
            className="hf-button hf-solid hf-more"
            aria-disabled={inbox.isLoadingMore}
            onClick={() => attempt(inbox.loadMore())}
          >
            {inbox.isLoadingMore ? labels.loading : labels.loadMore}
          </button>
        )}
      </div>
    </section>
  );
}

function Filters({
  filter,
  unread,
  onChange,
}: {
  readonly filter: InboxFilter;
  readonly unread: number;
  readonly onChange: (filter: InboxFilter) => void;
}): ReactNode {
  const labels = useLabels();
  const name = useId();
  const words = { all: labels.all, unread: labels.unread, archived: labels.archive };
  return (
    <fieldset className="hf-filters">
      <legend className="hf-hidden">{labels.filter}</legend>
      {filters.map((status) => (
        <label key={status}>
          <input
            type="radio"
            name={name}
            checked={(filter.status ?? 'all') === status}
            onChange={() => onChange({ ...filter, status })}
          />
          <span>
            {words[status]}
            {status === 'unread' && unread > 0 && <span className="hf-count">{unread}</span>}
          </span>
        </label>
      ))}
    </fieldset>
  );
}

/** A connection that is back within this time is nobody's concern, nor worth a word of a screen reader. */
const staleMs = 1_000;

/** Whether something has been so for a time. */
function useLasting(isSo: boolean, afterMs: number): boolean {
  const [hasLasted, setLasted] = useState(false);
  useEffect(() => {
    if (!isSo) return undefined;
    const timer = setTimeout(() => setLasted(true), afterMs);
    return () => {
      clearTimeout(timer);
      setLasted(false);
    };
  }, [isSo, afterMs]);
  return isSo && hasLasted;
}

function Notices({
  status,
  hasFailed,
  onRetry,
}: {
  readonly status: ReturnType<typeof useInbox>['status'];
  readonly hasFailed: boolean;
  readonly onRetry: () => void;
}): ReactNode {
  const labels = useLabels();
  const isStale = useLasting(status === 'stale', staleMs);
  return (
    <>
      <div role="status">
        {isStale && (
          <p className="hf-notice">
            <Icon name="offline" />
            {labels.stale}
          </p>
        )}
      </div>
      <div role="alert">
        {hasFailed && (
          <p className="hf-notice hf-problem">
            <Icon name="error" />
            {labels.changeFailed}
          </p>
        )}
        {status === 'failed' && (
          <p className="hf-notice hf-problem">
            <Icon name="error" />
            <span>{labels.failed}</span>
            <button type="button" className="hf-button hf-solid" onClick={onRetry}>
              {labels.retry}
            </button>
          </p>
        )}
      </div>
    </>
  );
}

function Empty({ filter: { status } }: { readonly filter: InboxFilter }): ReactNode {
  const labels = useLabels();
  const [title, hint] =
    status === 'unread'
      ? [labels.emptyUnread, labels.emptyUnreadHint]
      : status === 'archived'
        ? [labels.emptyArchive, labels.emptyArchiveHint]
        : [labels.empty, labels.emptyHint];
  return (
    <div className="hf-empty">
      <Icon name={status === 'unread' ? 'success' : status === 'archived' ? 'archive' : 'bell'} />
      <p className="hf-empty-title">{title}</p>
      <p>{hint}</p>
    </div>
  );
}

function Skeleton(): ReactNode {
  const labels = useLabels();
  return (
    <div className="hf-skeleton hf-late">
      <p className="hf-hidden">{labels.loading}</p>
      {['a', 'b', 'c', 'd'].map((key) => (
        <div key={key} aria-hidden="true">
          <span />
          <span />
          <span />
        </div>
      ))}
    </div>
  );
}
