import { type ReactNode, useState } from 'react';
import { Icon } from '../theme/icons.tsx';
import { ThemeStyle } from '../theme/theme-style.tsx';
import { Announcements } from './announcements.tsx';
import { inboxCss } from './inbox-css.ts';
import { InboxDrawer, type InboxDrawerProps } from './inbox-drawer.tsx';
import { defaultLabels } from './inbox-labels.ts';
import { useInboxKey } from './inbox-provider.tsx';
import { useInbox } from './use-inbox.ts';

/** As {@link InboxDrawerProps}: whether the drawer is open is the bell's own business. */
export type InboxBellProps = Omit<InboxDrawerProps, 'isOpen' | 'onClose'>;

/** A bell with the number of unread notifications, which opens the drawer. */
export function InboxBell(props: InboxBellProps): ReactNode {
  return <Bell key={useInboxKey()} {...props} />;
}

function Bell({ className = '', ...rest }: InboxBellProps): ReactNode {
  const [isOpen, setOpen] = useState(false);
  const labels = { ...defaultLabels, ...rest.labels };
  const { unread } = useInbox();
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
      <Announcements arrived={labels.arrived} />
      <InboxDrawer {...rest} isOpen={isOpen} onClose={() => setOpen(false)} />
    </>
  );
}
