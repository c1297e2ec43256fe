import { memo, type MemoExoticComponent, type MouseEvent, type ReactNode, useState } from 'react';
import { type Notification, safeLink } from '@holdfast/client/inbox';
import { formatNumber } from '../theme/format-number.ts';
import { IconButton } from '../theme/icon-button.tsx';
import { Icon } from '../theme/icons.tsx';
import { RelativeTime } from '../theme/relative-time.tsx';
import { useLabels } from './inbox-labels.ts';

export interface InboxItemActions {
  readonly onRead: (notification: Notification, isRead: boolean) => void;
  readonly onArchive: (notification: Notification, isArchived: boolean) => void;
  /** Here: not in another tab or window. */
  readonly onOpen: (notification: Notification, event: MouseEvent) => void;
}

export interface InboxItemProps {
  readonly notification: Notification;
  /** What it is about, in the words of the application. */
  readonly category: string;
  /** Its controls are reached with Tab; those of the others with the arrow keys. */
  readonly isCurrent: boolean;
  readonly onFocus: (id: string) => void;
  readonly actions: InboxItemActions;
}

function Item(props: InboxItemProps): ReactNode {
  const { notification, category, isCurrent, onFocus, actions } = props;
  const { id, title, body, severity, source, groupCount, createdAt } = notification;
  const labels = useLabels();
  const isRead = notification.readAt !== null;
  const isArchived = notification.archivedAt !== null;
  const tabIndex = isCurrent ? 0 : -1;
  const together = formatNumber(groupCount, labels.locale);
  return (
    <li
      className="hf-item"
      data-id={id}
      data-severity={severity}
      data-unread={!isRead}
      onFocus={() => onFocus(id)}
    >
      <span className="hf-severity">
        <Icon name={severity} />
        <span className="hf-hidden">{labels.severity[severity]}</span>
      </span>
      <div className="hf-text">
        <Headline notification={notification} tabIndex={tabIndex} actions={actions} />
        {body !== '' && (
          <p className="hf-body" dir="auto">
            {body}
          </p>
        )}
        <div className="hf-foot">
          <p className="hf-meta">
            <span>
              <RelativeTime at={createdAt} locale={labels.locale} />
            </span>
            <span>
              <bdi>{source ?? category}</bdi>
            </span>
            {groupCount > 1 && (
              <span className="hf-group">
                <span aria-hidden="true">×{together}</span>
                <span className="hf-hidden">{labels.groupOf(groupCount, together)}</span>
              </span>
            )}
          </p>
          <div className="hf-actions">
            <IconButton
              label={isRead ? labels.markUnread(title) : labels.markRead(title)}
              icon={isRead ? 'envelope' : 'check'}
              tabIndex={tabIndex}
              onClick={() => actions.onRead(notification, !isRead)}
            />
            <IconButton
              label={isArchived ? labels.unarchiveOne(title) : labels.archiveOne(title)}
              icon={isArchived ? 'restore' : 'archive'}
              tabIndex={tabIndex}
              onClick={() => actions.onArchive(notification, !isArchived)}
            />
          </div>
        </div>
      </div>
    </li>
  );
}

/** One notification. Whatever its text says, it is shown as text. */
export const InboxItem: MemoExoticComponent<typeof Item> = memo(Item);

/** Leads to the notification's page, or shows all of its text; in both cases it has been read. */
function Headline({
  notification,
  tabIndex,
  actions,
}: Pick<InboxItemProps, 'notification' | 'actions'> & { readonly tabIndex: number }): ReactNode {
  const labels = useLabels();
  const [isOpen, setOpen] = useState(false);
  const href = safeLink(notification);
  const isUnread = notification.readAt === null;
  const content = (
    <>
      {isUnread && (
        <span className="hf-unread">
          <span className="hf-hidden">{`${labels.isUnread}: `}</span>
        </span>
      )}
      <span dir="auto">{notification.title}</span>
    </>
  );
  const onRead = (): void => {
    if (isUnread) actions.onRead(notification, true);
  };
  const onClick = (event: MouseEvent): void => {
    setOpen(!isOpen);
    onRead();
    if (href === undefined || !opensElsewhere(event)) actions.onOpen(notification, event);
  };
  return (
    <h3 className="hf-title">
      {href === undefined ? (
        <button
          type="button"
          className="hf-headline"
          aria-expanded={isOpen}
          tabIndex={tabIndex}
          onClick={onClick}
        >
          {content}
        </button>
      ) : (
        <a
          className="hf-headline"
          href={href}
          rel="noopener noreferrer"
          tabIndex={tabIndex}
          onClick={onClick}
          // The middle button opens a link in another tab.
          onAuxClick={({ button }) => {
            if (button === 1) onRead();
          }}
        >
          {content}
        </a>
      )}
    </h3>
  );
}

/** What browsers take for the wish to have a link in another tab or window, or as a file. */
function opensElsewhere({ ctrlKey, metaKey, shiftKey, altKey }: MouseEvent): boolean {
  return ctrlKey || metaKey || shiftKey || altKey;
}
