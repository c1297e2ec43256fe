import { type ReactNode, useState } from 'react';
import { formatNumber } from '../theme/format-number.ts';
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

/** Greater numbers tell nobody more. */
const maxShown = 99;

/** A bell with the number of unread notifications, which opens the drawer. */
export function InboxBell(props: InboxBellProps): ReactNode {
  return <Bell key={useInboxKey()} {...props} />;
}

function Bell({ className = '', ...rest }: InboxBellProps): ReactNode {
  const [isOpen, setOpen] = useState(false);
  const labels = { ...defaultLabels, ...rest.labels };
  const { total } = useInbox().unread;
  const written = (number: number): string => formatNumber(number, labels.locale);
  return (
    <>
      <ThemeStyle name="inbox" css={inboxCss} nonce={rest.nonce} />
      <button
        type="button"
        className={`hf hf-bell ${className}`}
        aria-label={labels.bell(total, written(total))}
        aria-haspopup="dialog"
        aria-expanded={isOpen}
        onClick={() => setOpen(true)}
      >
        <Icon name="bell" />
        {total > 0 && (
          <span className="hf-badge" aria-hidden="true">
            {total > maxShown ? `${written(maxShown)}+` : written(total)}
          </span>
        )}
      </button>
      <Announcements {...labels} />
      <InboxDrawer {...rest} isOpen={isOpen} onClose={() => setOpen(false)} />
    </>
  );
}
