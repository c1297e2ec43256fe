import { type ReactNode, useId } from 'react';
import type { NotificationTarget } from '@holdfast/client/inbox';

/** Something of which a user can be notified, in the words of the application. */
export interface InboxSubject {
  /** Of the category or the topic, as the server knows it. */
  readonly name: string;
  readonly title: string;
  readonly hint?: string | undefined;
}

/** A heading with what belongs to it. */
export function SettingGroup({
  title,
  hint,
  action,
  children,
}: Omit<InboxSubject, 'name'> & {
  /** At the end of the heading's line. */
  readonly action?: ReactNode;
  readonly children?: ReactNode;
}): ReactNode {
  const id = useId();
  return (
    <div role="group" className="hf-setting" aria-labelledby={id}>
      <div className="hf-setting-head">
        <h3 id={id}>
          <bdi>{title}</bdi>
        </h3>
        {action}
      </div>
      {hint !== undefined && (
        <p className="hf-setting-hint">
          <bdi>{hint}</bdi>
        </p>
      )}
      {children}
    </div>
  );
}

export function Checkbox({
  label,
  hint,
  isChecked,
  onChange,
}: {
  readonly label: string;
  readonly hint?: string | undefined;
  readonly isChecked: boolean;
  readonly onChange: (isChecked: boolean) => void;
}): ReactNode {
  const id = useId();
  return (
    <div className="hf-check">
      <label>
        <input
          type="checkbox"
          checked={isChecked}
          aria-describedby={hint === undefined ? undefined : id}
          onChange={() => onChange(!isChecked)}
        />
        <bdi>{label}</bdi>
      </label>
      {hint !== undefined && (
        <p id={id} className="hf-setting-hint">
          <bdi>{hint}</bdi>
        </p>
      )}
    </div>
  );
}

/** In the order in which they are shown. */
export const targets: readonly NotificationTarget[] = ['inApp', 'email', 'webhook'];
