import { type ReactNode, useState } from 'react';
import {
  isWanted,
  mutedForGood,
  type PreferencesChange,
  type UserSettings,
} from '@holdfast/client/inbox';
import { IconButton } from '../theme/icon-button.tsx';
import { useNow } from '../theme/relative-time.tsx';
import { useLabels } from './inbox-labels.ts';
import { Checkbox, type InboxSubject, SettingGroup, targets } from './setting-controls.tsx';

const hourMs = 3_600_000;

export interface CategorySettingsProps {
  readonly subject: InboxSubject;
  readonly settings: UserSettings;
  readonly onChange: (change: PreferencesChange) => void;
}

/** Where notifications of a category go, and whether they come at all. */
export function CategorySettings({
  subject,
  settings,
  onChange,
}: CategorySettingsProps): ReactNode {
  const { name, title, hint } = subject;
  const labels = useLabels();
  const now = useNow();
  const [choice, setChoice] = useState<'none' | 'open' | 'made'>('none');
  const { mutedUntil = 0 } = settings.preferences.categories[name] ?? {};
  const isMuted = mutedUntil > now;
  const wish = (member: object): void => onChange({ categories: { [name]: member } });
  const shown = targets.filter((target) => target === 'inApp' || settings.targets.includes(target));
  return (
    <SettingGroup
      title={title}
      hint={hint}
      action={
        // One and the same button, so that the focus stays where it is, or comes back to it.
        <IconButton
          label={isMuted ? labels.unmute(title) : labels.mute(title)}
          icon={isMuted ? 'mute' : 'bell'}
          isExpanded={isMuted ? undefined : choice === 'open'}
          takesFocus={choice === 'made'}
          onClick={() => {
            setChoice(isMuted || choice === 'open' ? 'none' : 'open');
            if (isMuted) wish({ mutedUntil: null });
          }}
        />
      }
    >
      {isMuted && (
        <p className="hf-setting-muted">
          {mutedUntil === mutedForGood
            ? labels.mutedForGood
            : labels.mutedUntil(inWords(mutedUntil, { now, locale: labels.locale }))}
        </p>
      )}
      {choice === 'open' && !isMuted && (
        <MuteChoices
          onChoose={(forMs) => {
            setChoice('made');
            wish({ mutedUntil: forMs === undefined ? mutedForGood : Date.now() + forMs });
          }}
        />
      )}
      <div className="hf-checks">
        {shown.map((target) => (
          <Checkbox
            key={target}
            label={labels.targets[target]}
            isChecked={isWanted(settings, name, target)}
            onChange={(isChecked) => wish({ [target]: isChecked })}
          />
        ))}
      </div>
    </SettingGroup>
  );
}

function MuteChoices({
  onChoose,
}: {
  /** @param forMs - undefined: until the user says otherwise */
  readonly onChoose: (forMs: number | undefined) => void;
}): ReactNode {
  const labels = useLabels();
  const choices: readonly (readonly [string, number | undefined])[] = [
    [labels.muteHour, hourMs],
    [labels.muteDay, 24 * hourMs],
    [labels.muteWeek, 7 * 24 * hourMs],
    [labels.muteForGood, undefined],
  ];
  return (
    <div role="group" className="hf-mute" aria-label={labels.muteFor}>
      <span aria-hidden="true">{labels.muteFor}</span>
      {choices.map(([label, forMs]) => (
        <button
          key={label}
          type="button"
          className="hf-button hf-solid"
          onClick={() => onChoose(forMs)}
        >
          <bdi>{label}</bdi>
        </button>
      ))}
    </div>
  );
}

/** The date is left out on the day itself. */
function inWords(
  time: number,
  { now, locale }: { readonly now: number; readonly locale: string | undefined },
): string {
  const isToday = new Date(time).toDateString() === new Date(now).toDateString();
  const date = isToday ? {} : ({ dateStyle: 'medium' } as const);
  return new Intl.DateTimeFormat(locale, { ...date, timeStyle: 'short' }).format(time);
}
