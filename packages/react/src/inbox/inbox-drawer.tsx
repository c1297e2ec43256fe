import { type MouseEvent, type ReactNode, type SyntheticEvent, useEffect, useRef } from 'react';
import { ThemeStyle } from '../theme/theme-style.tsx';
import { inboxCss } from './inbox-css.ts';
import { defaultLabels } from './inbox-labels.ts';
import { LateNotice } from './late-notice.tsx';
import { InboxPanel, type InboxPanelProps } from './inbox-panel.tsx';

/** Whether the drawer is open, and what it shows. */
export interface InboxDrawerProps extends Omit<InboxPanelProps, 'onClose'> {
  readonly isOpen: boolean;
  readonly onClose: () => void;
}

/** The subset of `HTMLDialogElement` that is used. */
interface DialogLike {
  readonly open: boolean;
  showModal(): void;
  close(): void;
}

/**
 * The notifications beside the page, over it on a phone. A modal `<dialog>`: the browser keeps the
 * focus inside, closes it on Escape and gives the focus back to where it was.
 */
export function InboxDrawer({ isOpen, onClose, onOpen, ...rest }: InboxDrawerProps): ReactNode {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    const element = dialog.current as unknown as DialogLike | null;
    if (isOpen && element?.open === false) element.showModal();
    if (!isOpen && element?.open === true) element.close();
  }, [isOpen]);
  const labels = { ...defaultLabels, ...rest.labels };
  return (
    <>
      <ThemeStyle name="inbox" css={inboxCss} nonce={rest.nonce} />
      <dialog
        ref={dialog}
        className="hf hf-drawer"
        aria-label={labels.title}
        // It is closed by its owner, who else would take it for open until the browser says otherwise.
        onCancel={(event: SyntheticEvent) => {
          event.preventDefault();
          onClose();
        }}
        onClose={() => {
          // The browser tells of it later, when it may have been opened again.
          if ((dialog.current as unknown as DialogLike | null)?.open !== true) onClose();
        }}
        onClick={(event: MouseEvent) => {
          // Everything in it is in the panel; what is left is the backdrop.
          if (event.target === event.currentTarget) onClose();
        }}
      >
        {isOpen && (
          <InboxPanel
            {...rest}
            onClose={onClose}
            onOpen={(notification, event) => {
              onOpen?.(notification, event);
              if (notification.link !== null) onClose();
            }}
          />
        )}
      </dialog>
      <LateNotice changeFailed={labels.changeFailed} close={labels.close} />
    </>
  );
}
