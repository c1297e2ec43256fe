import { type ReactNode, useEffect, useRef, useState } from 'react';
import { Icon } from '../theme/icons.tsx';
import { ThemeStyle } from '../theme/theme-style.tsx';
import { inboxCss } from './inbox-css.ts';
import { InboxDrawer, type InboxDrawerProps } from './inbox-drawer.tsx';
import { defaultLabels } from './inbox-labels.ts';
import { useInbox } from './use-inbox.ts';

export type InboxBellProps = Omit<InboxDrawerProps, 'isOpen' | 'onClose'>;

/** What comes within this time is announced together. */
const announceMs = 1_000;

/** A bell with the number of unread notifications, which opens the drawer. */
export function InboxBell({ className = '', ...rest }: InboxBellProps): ReactNode {
  const [isOpen, setOpen] = useState(false);
  const labels = { ...defaultLabels, ...rest.labels };
  const [announcement, announce] = useAnnouncement(labels.arrived);
  const { unread } = useInbox({ onNotification: ({ title }) => announce(title) });
  return (
    <>
      <ThemeStyle name="inbox" css={inboxCss} nonce={rest.nonce} />
      <button
        type="button"
        className={`hf hf-bell ${className}`}
        aria-label={labels.bell(unread.total)}
        aria-haspopup="dialog"
        aria-expanded={isOpen}
        onClick={() => setOpen(true)}
      >
        <Icon name="bell" />
        {unread.total > 0 && (
          <span className="hf-badge" aria-hidden="true">
            {unread.total > 99 ? '99+' : unread.total}
          </span>
        )}
      </button>
      <span className="hf hf-hidden" role="status">
        {announcement}
      </span>
      <InboxDrawer {...rest} isOpen={isOpen} onClose={() => setOpen(false)} />
    </>
  );
}

/** What a screen reader says: once for many that come together. */
function useAnnouncement(
  inWords: (titles: readonly string[]) => string,
): readonly [string, (title: string) => void] {
  const [text, setText] = useState('');
  const titles = useRef<string[]>([]);
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  useEffect(() => () => clearTimeout(timer.current), []);
  const announce = (title: string): void => {
    titles.current.push(title);
    clearTimeout(timer.current);
    timer.current = setTimeout(() => setText(inWords(titles.current.splice(0))), announceMs);
  };
  return [text, announce];
}
