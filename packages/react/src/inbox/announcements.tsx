import { type ReactNode, useEffect, useRef, useState } from 'react';
import type { InboxLabels } from './inbox-labels.ts';
import { useInbox } from './use-inbox.ts';

/** What comes within this time is announced together. */
const announceMs = 1_000;

/**
 * Tells a screen reader what comes, once and politely. It must stand in the drawer while that is open:
 * everything outside of a modal dialog is silent.
 */
export function Announcements({ arrived }: Pick<InboxLabels, 'arrived'>): ReactNode {
  const [text, setText] = useState('');
  const titles = useRef<string[]>([]);
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  useEffect(() => () => clearTimeout(timer.current), []);
  useInbox({
    onNotification: ({ title }) => {
      titles.current.push(title);
      clearTimeout(timer.current);
      timer.current = setTimeout(() => setText(arrived(titles.current.splice(0))), announceMs);
    },
  });
  return (
    <span className="hf hf-hidden" role="status">
      {text}
    </span>
  );
}
