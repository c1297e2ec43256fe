import { type ReactNode, useState } from 'react';
import type { QuietHours } from '@holdfast/client/inbox';
import { useLabels } from './inbox-labels.ts';
import { Checkbox, SettingGroup } from './setting-controls.tsx';

export interface QuietHoursSettingProps {
  readonly quietHours: QuietHours | null;
  readonly onChange: (quietHours: QuietHours | null) => void;
}

/** When notifications are silent, by the clock of the place where the user said so. */
export function QuietHoursSetting({ quietHours, onChange }: QuietHoursSettingProps): ReactNode {
  const labels = useLabels();
  const { timeZone: here } = new Intl.DateTimeFormat().resolvedOptions();
  return (
    <SettingGroup title={labels.quietHours}>
      <Checkbox
        label={labels.quietHoursOn}
        hint={labels.quietHoursHint}
        isChecked={quietHours !== null}
        onChange={(isOn) => onChange(isOn ? { from: '22:00', to: '07:00', timeZone: here } : null)}
      />
      {quietHours !== null && (
        <>
          <div className="hf-times">
            <TimeOfDay
              label={labels.quietFrom}
              time={quietHours.from}
              onChange={(from) => onChange({ ...quietHours, from })}
            />
            <TimeOfDay
              label={labels.quietTo}
              time={quietHours.to}
              onChange={(to) => onChange({ ...quietHours, to })}
            />
          </div>
          <p className="hf-setting-hint">
            {labels.timeZone(quietHours.timeZone)}
            {quietHours.timeZone !== here && (
              <button
                type="button"
                className="hf-button"
                onClick={() => onChange({ ...quietHours, timeZone: here })}
              >
                {labels.useTimeZone(here)}
              </button>
            )}
          </p>
        </>
      )}
    </SettingGroup>
  );
}

/** Browsers tell of every digit: what is typed counts when the field is left, or with Enter. */
function TimeOfDay({
  label,
  time,
  onChange,
}: {
  readonly label: string;
  readonly time: string;
  readonly onChange: (time: string) => void;
}): ReactNode {
  const [draft, setDraft] = useState<string>();
  const finish = (): void => {
    setDraft(undefined);
    // It is empty while a part of it is missing.
    if (draft !== undefined && draft !== '' && draft !== time) onChange(draft);
  };
  return (
    <label>
      <span>{label}</span>
      <input
        type="time"
        className="hf-field"
        required
        value={draft ?? time}
        onChange={(event) => setDraft((event.target as unknown as { value: string }).value)}
        onBlur={finish}
        onKeyDown={(event) => {
          if (event.key === 'Enter') finish();
        }}
      />
    </label>
  );
}
