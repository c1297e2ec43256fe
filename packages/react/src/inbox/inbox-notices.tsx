import { type ReactNode, useCallback, useEffect, useState } from 'react';
import type { InboxSnapshot } from '@holdfast/client/inbox';
import { Icon } from '../theme/icons.tsx';
import { useLabels } from './inbox-labels.ts';

/** A connection that is back within this time is nobody's concern, nor worth a word of a screen reader. */
const staleMs = 1_000;

/** Whether something has been so for a time. */
function useLasting(isSo: boolean, afterMs: number): boolean {
  const [hasLasted, setLasted] = useState(false);
  useEffect(() => {
    if (!isSo) return undefined;
    const timer = setTimeout(() => setLasted(true), afterMs);
    return () => {
      clearTimeout(timer);
      setLasted(false);
    };
  }, [isSo, afterMs]);
  return isSo && hasLasted;
}

/** The label that says so. */
type Failure = 'changeFailed' | 'loadMoreFailed';

export interface Attempts {
  /** What to say, since the newest one that ended has failed. */
  readonly failure: Failure | undefined;
  /** The same function each time. @param failure - what to say when it fails; `changeFailed` */
  readonly attempt: (change: Promise<void>, failure?: Failure) => void;
}

/** Changes of the user whose failure is to be said. */
export function useAttempts(): Attempts {
  const [failure, setFailure] = useState<Failure>();
  const attempt = useCallback<Attempts['attempt']>((change, words = 'changeFailed') => {
    setFailure(undefined);
    change.catch(() => setFailure(words));
  }, []);
  return { failure, attempt };
}

export interface NoticesProps {
  readonly snapshot: Pick<InboxSnapshot, 'status' | 'problem'>;
  readonly failure: Attempts['failure'];
  readonly onRetry: () => void;
}

/** What the user has to know about the connection, and about a change that did not work. */
export function Notices({ snapshot, failure, onRetry }: NoticesProps): ReactNode {
  const labels = useLabels();
  const { status, problem } = snapshot;
  const isStale = useLasting(status === 'stale', staleMs);
  const isUnreachable = useLasting(status === 'loading' && problem !== undefined, staleMs);
  return (
    <>
      <div role="status">
        {(isStale || isUnreachable) && (
          <p className="hf-notice">
            <Icon name="offline" />
            {isStale ? labels.stale : labels.unreachable}
          </p>
        )}
      </div>
      <div role="alert">
        {failure !== undefined && (
          <p className="hf-notice hf-problem">
            <Icon name="error" />
            {labels[failure]}
          </p>
        )}
        {status === 'failed' && (
          <p className="hf-notice hf-problem">
            <Icon name="error" />
            <span>{labels.failed}</span>
            <button type="button" className="hf-button hf-solid" onClick={onRetry}>
              {labels.retry}
            </button>
          </p>
        )}
      </div>
    </>
  );
}
