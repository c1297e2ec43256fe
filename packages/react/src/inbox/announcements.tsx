import { type ReactNode, useEffect, useState } from 'react';
import { formatNumber } from '../theme/format-number.ts';
import { useNewest } from '../use-newest.ts';
import { announcerOf } from './announcer.ts';
import type { InboxLabels } from './inbox-labels.ts';
import { useInboxStore } from './inbox-provider.tsx';

/**
 * Tells a screen reader what comes, once and politely. It must stand in the drawer while that is open:
 * everything outside of a modal dialog is silent.
 */
export function Announcements({
  arrived,
  locale,
}: Pick<InboxLabels, 'arrived' | 'locale'>): ReactNode {
  const inbox = useInboxStore();
  const words = useNewest((titles: readonly string[]) =>
    arrived(titles, formatNumber(titles.length, locale)),
  );
  const [said, setSaid] = useState({ text: '', count: 0 });
  useEffect(
    () =>
      announcerOf(inbox).add((titles) => {
        const text = words.current(titles);
        setSaid(({ count }) => ({ text, count: count + 1 }));
      }),
    [inbox, words],
  );
  return (
    <span className="hf hf-hidden" role="status">
      {/* Anew each time: the same words in the same place are no news to a screen reader. */}
      <span key={said.count}>{said.text}</span>
    </span>
  );
}
