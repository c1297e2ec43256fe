import { type ReactNode, useEffect, useState, useSyncExternalStore } from 'react';
import { IconButton } from '../theme/icon-button.tsx';
import { Icon } from '../theme/icons.tsx';
import { FailedChanges } from './failed-changes.tsx';
import type { InboxLabels } from './inbox-labels.ts';
import { useInboxStore } from './inbox-provider.tsx';
import { lateFailuresOf } from './late-failures.ts';

/** The subset of an element that is used; browsers without popovers show it where it stands. */
interface PopoverLike {
  showPopover?(): void;
  hidePopover?(): void;
}

/** Above whatever the application shows. */
function showPopover(element: HTMLDivElement): () => void {
  const popover = element as unknown as PopoverLike;
  popover.showPopover?.();
  return () => popover.hidePopover?.();
}

/** Says that changes did not work which were made in the drawer before it was closed. */
export function LateNotice({
  changeFailed,
  close,
}: Pick<InboxLabels, 'changeFailed' | 'close'>): ReactNode {
  const failures = lateFailuresOf(useInboxStore());
  const [self] = useState(() => ({}));
  useEffect(() => failures.addTeller(self), [failures, self]);
  const { getSnapshot } = failures;
  const { what, teller } = useSyncExternalStore(failures.subscribe, getSnapshot, getSnapshot);
  if (teller !== self || what.length === 0) return null;
  return (
    <div ref={showPopover} popover="manual" role="alert" className="hf hf-toast">
      <Icon name="error" />
      <FailedChanges words={changeFailed} what={what} />
      <IconButton label={close} icon="close" onClick={() => failures.clear()} />
    </div>
  );
}
