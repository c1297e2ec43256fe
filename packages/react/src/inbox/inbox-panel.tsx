import {
  type MouseEvent,
  type ReactNode,
  useId,
  useLayoutEffect,
  useMemo,
  useRef,
  useState,
} from 'react';
import type { InboxFilter, Notification } from '@holdfast/client/inbox';
import { formatNumber } from '../theme/format-number.ts';
import { IconButton } from '../theme/icon-button.tsx';
import { Icon } from '../theme/icons.tsx';
import { useListFocus } from '../theme/list-focus.ts';
import { ThemeStyle } from '../theme/theme-style.tsx';
import { Announcements } from './announcements.tsx';
import { inboxCss } from './inbox-css.ts';
import { InboxItem, type InboxItemActions } from './inbox-item.tsx';
import { defaultLabels, type InboxLabels, LabelsContext, useLabels } from './inbox-labels.ts';
import { type Attempts, Notices, useAttempts } from './inbox-notices.tsx';
import { useInboxKey, useInboxStore } from './inbox-provider.tsx';
import { PanelSkeleton } from './panel-skeleton.tsx';
import type { InboxSubject } from './setting-controls.tsx';
import { type InboxSubjects, SettingsView } from './settings-view.tsx';
import { useNewest } from '../use-newest.ts';
import { useInbox } from './use-inbox.ts';

/** What the list shows, and what becomes of a click. */
export interface InboxPanelProps extends InboxSubjects {
  /** Words in another language; those that are missing are English. */
  readonly labels?: Partial<InboxLabels> | undefined;
  /**
   * A notification was clicked, and is marked as read. A router calls `event.preventDefault()` and
   * shows its page instead of loading it. Not called for a click that opens the link in another tab or
   * window: that is the browser's business.
   */
  readonly onOpen?: ((notification: Notification, event: MouseEvent) => void) | undefined;
  /** Shows a button that closes what the panel is in. */
  readonly onClose?: (() => void) | undefined;
  /** Shows a button that leads to the user's settings. @defaultValue true */
  readonly hasSettings?: boolean | undefined;
  /** Of the page's Content-Security-Policy, where that asks for one. */
  readonly nonce?: string | undefined;
  /** Of the element around everything. */
  readonly className?: string | undefined;
}

/** The user's notifications, to stand in a page. For one that is opened, see `InboxDrawer`. */
export function InboxPanel(props: InboxPanelProps): ReactNode {
  return <Panel key={useInboxKey()} {...props} />;
}

function Panel(props: InboxPanelProps): ReactNode {
  const { labels, nonce, className = '', hasSettings = true, onClose, onOpen, ...subjects } = props;
  const [view, setView] = useState<'list' | 'settings' | 'list again'>('list');
  // The same for as long as can be: every notification in the list is drawn anew with them.
  const words = useMemo(() => ({ ...defaultLabels, ...labels }), [labels]);
  const attempts = useAttempts();
  const common = { className: `hf hf-panel ${className}`, onClose, attempts };
  const show = (next: typeof view): void => {
    attempts.forget();
    setView(next);
  };
  return (
    <LabelsContext value={words}>
      <ThemeStyle name="inbox" css={inboxCss} nonce={nonce} />
      <Announcements {...words} />
      {view === 'settings' ? (
        <SettingsView {...common} {...subjects} onBack={() => show('list again')} />
      ) : (
        <ListView
          {...common}
          categories={subjects.categories}
          onOpen={onOpen}
          onSettings={hasSettings ? () => show('settings') : undefined}
          isBack={view === 'list again'}
        />
      )}
    </LabelsContext>
  );
}

const filters = ['all', 'unread', 'archived'] as const;

function ListView({
  categories = [],
  onOpen,
  onClose,
  onSettings,
  isBack,
  className,
  attempts: { failure, attempt, attemptMore },
}: Pick<InboxPanelProps, 'categories' | 'onOpen' | 'onClose'> & {
  readonly onSettings: (() => void) | undefined;
  /** The user comes from the settings. */
  readonly isBack: boolean;
  readonly className: string;
  readonly attempts: Attempts;
}): ReactNode {
  const labels = useLabels();
  const inbox = useInbox();
  const headingId = useId();
  const { items, status, unread, filter } = inbox;
  const focus = useListFocus<HTMLUListElement>(
    items.map(({ id }) => id),
    '.hf-headline',
  );
  const store = useInboxStore();
  // The button for more goes away with the last page: the focus goes on with what that brought.
  const oldest = useRef<string>(undefined);
  useLayoutEffect(() => {
    if (inbox.hasMore || oldest.current === undefined) return;
    const index = items.findIndex(({ id }) => id === oldest.current);
    oldest.current = undefined;
    focus.rescue(items[index + 1]?.id);
  });
  const newestOnOpen = useNewest(onOpen);
  // The same for as long as can be, so that one notification's change does not draw all of them.
  const actions = useMemo(
    (): InboxItemActions => ({
      onRead: ({ id, title }, isRead) =>
        isRead
          ? attempt(store.markRead([id]), labels.markRead(title))
          : attempt(store.markUnread([id]), labels.markUnread(title)),
      onArchive: ({ id, title }, isArchived) =>
        isArchived
          ? attempt(store.archive([id]), labels.archiveOne(title))
          : attempt(store.unarchive([id]), labels.unarchiveOne(title)),
      onOpen: (one, event) => newestOnOpen.current?.(one, event),
    }),
    [store, newestOnOpen, attempt, labels],
  );
  return (
    <section className={className} aria-labelledby={headingId}>
      <div className="hf-head">
        <h2 id={headingId}>{labels.title}</h2>
        <button
          type="button"
          className="hf-button"
          // Not `disabled`, which would take the focus away from whoever has just pressed it.
          aria-disabled={unread.total === 0}
          onClick={() => {
            if (unread.total > 0) attempt(inbox.readAll(filter.category), labels.markAllRead);
          }}
        >
          {labels.markAllRead}
        </button>
        {onSettings !== undefined && (
          <IconButton
            label={labels.settings}
            icon="settings"
            takesFocus={isBack}
            onClick={onSettings}
          />
        )}
        {onClose !== undefined && (
          <IconButton label={labels.close} icon="close" onClick={onClose} />
        )}
      </div>
      <Filters filter={filter} unread={unread.total} onChange={(next) => inbox.setFilter(next)} />
      <Notices snapshot={inbox} failure={failure} onRetry={() => inbox.retry()} />
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
                category={titleOf(notification.category, categories)}
                isCurrent={notification.id === focus.currentId}
                onFocus={focus.onFocus}
                actions={actions}
              />
            ))}
          </ul>
        )}
        {inbox.isListed && items.length === 0 && !inbox.hasMore && <Empty filter={filter} />}
        {!inbox.isListed && status !== 'failed' && <PanelSkeleton label={labels.loading} />}
        {inbox.hasMore && (
          <button
            type="button"
            className="hf-button hf-solid hf-more"
            aria-disabled={inbox.isLoadingMore}
            onClick={() => {
              oldest.current = items.at(-1)?.id;
              attemptMore(inbox.loadMore());
            }}
          >
            {inbox.isLoadingMore ? labels.loading : labels.loadMore}
          </button>
        )}
      </div>
    </section>
  );
}

function titleOf(category: string, subjects: readonly InboxSubject[]): string {
  return subjects.find(({ name }) => name === category)?.title ?? category;
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
            {status === 'unread' && unread > 0 && (
              <span className="hf-count">{formatNumber(unread, labels.locale)}</span>
            )}
          </span>
        </label>
      ))}
    </fieldset>
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
