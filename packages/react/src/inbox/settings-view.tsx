import { type ReactNode, useId } from 'react';
import type { PreferencesChange, UserSettings } from '@holdfast/client/inbox';
import { IconButton } from '../theme/icon-button.tsx';
import { CategorySettings } from './category-settings.tsx';
import { useLabels } from './inbox-labels.ts';
import { type Attempts, Notices } from './inbox-notices.tsx';
import { PanelSkeleton } from './panel-skeleton.tsx';
import { QuietHoursSetting } from './quiet-hours.tsx';
import { Checkbox, type InboxSubject, SettingGroup } from './setting-controls.tsx';
import { useInbox } from './use-inbox.ts';
import { useInboxPreferences } from './use-inbox-preferences.ts';

/** What the user can choose among. */
export interface InboxSubjects {
  /**
   * Categories, in this order. The list shows their titles, too, where a notification names no `source`.
   * @defaultValue those of the server's configuration, of the user's wishes and of what is in the list
   */
  readonly categories?: readonly InboxSubject[] | undefined;
  /** Topics that the user may subscribe to. @defaultValue none */
  readonly topics?: readonly InboxSubject[] | undefined;
}

export interface SettingsViewProps extends InboxSubjects {
  readonly className: string;
  readonly attempts: Attempts;
  /** Shows a button that leads back to where the user came from, and gives it the focus. */
  readonly onBack?: (() => void) | undefined;
  readonly onClose?: (() => void) | undefined;
}

/** The settings in place of the list. */
export function SettingsView(props: SettingsViewProps): ReactNode {
  const { categories, topics = [], className, attempts, onBack, onClose } = props;
  const labels = useLabels();
  const headingId = useId();
  const { settings, status, problem, setPreferences, retry, ...rest } = useInboxPreferences();
  const known = useKnownCategories(settings);
  const attempt = (promise: Promise<void>): void => attempts.attempt(promise, labels.settings);
  const change = (wanted: PreferencesChange): void => attempt(setPreferences(wanted));
  const general = { name: '*', title: labels.general, hint: labels.generalHint };
  return (
    <section className={className} aria-labelledby={headingId}>
      <div className="hf-head hf-head-alone">
        {onBack !== undefined && (
          <IconButton label={labels.back} icon="back" takesFocus onClick={onBack} />
        )}
        <h2 id={headingId}>{labels.settings}</h2>
        {onClose !== undefined && (
          <IconButton label={labels.close} icon="close" onClick={onClose} />
        )}
      </div>
      <Notices snapshot={{ status, problem }} failure={attempts.failure} onRetry={retry} />
      <div className="hf-scroll" aria-busy={settings === undefined && status !== 'failed'}>
        {settings === undefined && status !== 'failed' && (
          <PanelSkeleton label={labels.loadingSettings} />
        )}
        {settings !== undefined && (
          <>
            {[general, ...(categories ?? known)].map((subject) => (
              <CategorySettings
                key={subject.name}
                subject={subject}
                settings={settings}
                onChange={change}
              />
            ))}
            <QuietHoursSetting
              quietHours={settings.preferences.quietHours}
              onChange={(quietHours) => change({ quietHours })}
            />
            {topics.length > 0 && (
              <SettingGroup title={labels.topics}>
                {topics.map(({ name, title, hint }) => (
                  <Checkbox
                    key={name}
                    label={title}
                    hint={hint}
                    isChecked={settings.topics.includes(name)}
                    onChange={(isChecked) =>
                      attempt(isChecked ? rest.subscribeTopic(name) : rest.unsubscribeTopic(name))
                    }
                  />
                ))}
              </SettingGroup>
            )}
          </>
        )}
      </div>
    </section>
  );
}

/** Categories that the application has not named are shown by their names. */
function useKnownCategories(settings: UserSettings | undefined): readonly InboxSubject[] {
  const { items, unread } = useInbox();
  const names = new Set([
    ...Object.keys(settings?.defaults ?? {}),
    ...Object.keys(settings?.preferences.categories ?? {}),
    ...Object.keys(unread.byCategory),
    ...items.map(({ category }) => category),
  ]);
  names.delete('*');
  return [...names].toSorted().map((name) => ({ name, title: name }));
}
