import type { ReactNode } from 'react';

/** Where something will be that is being read. */
export function PanelSkeleton({ label }: { readonly label: string }): ReactNode {
  return (
    <div className="hf-skeleton hf-late">
      <p className="hf-hidden">{label}</p>
      {['a', 'b', 'c', 'd'].map((key) => (
        <div key={key} aria-hidden="true">
          <span />
          <span />
          <span />
        </div>
      ))}
    </div>
  );
}
