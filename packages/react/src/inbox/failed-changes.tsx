import type { ReactNode } from 'react';

/** That something did not work, and what. */
export function FailedChanges({
  words,
  what,
}: {
  readonly words: string;
  readonly what: readonly string[];
}): ReactNode {
  return (
    <div className="hf-failed">
      <p>{words}</p>
      {what.map((one) => (
        <p key={one} className="hf-failed-what">
          <bdi>{one}</bdi>
        </p>
      ))}
    </div>
  );
}
