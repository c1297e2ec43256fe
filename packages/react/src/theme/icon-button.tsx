import { type ReactNode, useEffect, useRef } from 'react';
import { Icon } from './icons.tsx';

export interface IconButtonProps {
  /** Its name, which is shown when it is pointed at. */
  readonly label: string;
  readonly icon: Parameters<typeof Icon>[0]['name'];
  readonly onClick: () => void;
  readonly tabIndex?: number;
  /** Of something that it shows and hides. */
  readonly isExpanded?: boolean | undefined;
  /** It takes the place of what had the focus. */
  readonly takesFocus?: boolean;
}

/** A button that is only a sign. */
export function IconButton(props: IconButtonProps): ReactNode {
  const { label, icon, onClick, tabIndex, isExpanded, takesFocus = false } = props;
  const button = useRef<HTMLButtonElement>(null);
  useEffect(() => {
    if (takesFocus) (button.current as unknown as { focus(): void } | null)?.focus();
  }, [takesFocus]);
  return (
    <button
      ref={button}
      type="button"
      className="hf-icon-button"
      data-icon={icon}
      aria-label={label}
      aria-expanded={isExpanded}
      title={label}
      tabIndex={tabIndex}
      onClick={onClick}
    >
      <Icon name={icon} />
    </button>
  );
}
