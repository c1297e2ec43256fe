import type { ReactNode } from 'react';
import { ThemeStyle } from '../theme/theme-style.tsx';
import { inboxCss } from './inbox-css.ts';
import { defaultLabels, type InboxLabels, LabelsContext } from './inbox-labels.ts';
import { useAttempts } from './inbox-notices.tsx';
import { useInboxKey } from './inbox-provider.tsx';
import { type InboxSubjects, SettingsView } from './settings-view.tsx';

/** What there is to set, and in which words. */
export interface InboxPreferencesProps extends InboxSubjects {
  /** Words in another language; those that are missing are English. */
  readonly labels?: Partial<InboxLabels> | undefined;
  /** Of the page's Content-Security-Policy, where that asks for one. */
  readonly nonce?: string | undefined;
  /** Of the element around everything. */
  readonly className?: string | undefined;
}

/** What the user wants to be told of, where and when: to stand in a page. `InboxPanel` has it too. */
export function InboxPreferences(props: InboxPreferencesProps): ReactNode {
  return <Preferences key={useInboxKey()} {...props} />;
}

function Preferences(props: InboxPreferencesProps): ReactNode {
  const { labels, nonce, className = '', ...subjects } = props;
  return (
    <LabelsContext value={{ ...defaultLabels, ...labels }}>
      <ThemeStyle name="inbox" css={inboxCss} nonce={nonce} />
      <SettingsView className={`hf hf-panel ${className}`} attempts={useAttempts()} {...subjects} />
    </LabelsContext>
  );
}
