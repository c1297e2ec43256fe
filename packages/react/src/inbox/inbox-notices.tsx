import { type ReactNode, useCallback, useEffect, useRef, useState } from 'react';
import type { InboxSnapshot } from '@holdfast/client/inbox';
import { Icon } from '../theme/icons.tsx';
import { FailedChanges } from './failed-changes.tsx';
import { useLabels } from './inbox-labels.ts';
import { useInboxStore } from './inbox-provider.tsx';
import { lateFailuresOf } from './late-failures.ts';

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

/** What did not work. */
export interface Failure {
  /** The label that says so. */
  readonly label: 'changeFailed' | 'loadMoreFailed';
  /** What the user had done, in words. */
  readonly what: readonly string[];
}

export interface Attempts {
  /** What to say, since the newest one that ended has failed, or some whose panel was gone by then. */
  readonly failure: Failure | undefined;
  /** A change of the user. The same function each time. @param what - it in words */
  readonly attempt: (change: Promise<void>, what: string) => void;
  readonly attemptMore: (reading: Promise<void>) => void;
  /** Nothing is to be said any more. */
  readonly forget: () => void;
}

/** Changes of the user whose failure is to be said, by whatever is on the page when it is known. */
export function useAttempts(): Attempts {
  const late = lateFailuresOf(useInboxStore());
  const [failure, setFailure] = useState<Failure>();
  const isHere = useRef(false);
  useEffect(() => {
    isHere.current = true;
    const { what } = late.getSnapshot();
    if (what.length > 0) setFailure({ label: 'changeFailed', what });
    late.clear();
    return () => void (isHere.current = false);
  }, [late]);
  const attempt = useCallback<Attempts['attempt']>(
    (change, what) => {
      setFailure(undefined);
      change.catch(() => {
        if (isHere.current) setFailure({ label: 'changeFailed', what: [what] });
        else late.add(what);
      });
    },
    [late],
  );
  const attemptMore = useCallback<Attempts['attemptMore']>((reading) => {
    setFailure(undefined);
    reading.catch(() => setFailure({ label: 'loadMoreFailed', what: [] }));
  }, []);
  const forget = useCallback(() => setFailure(undefined), []);
  return { failure, attempt, attemptMore, forget };
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
          <div className="hf-notice hf-problem">
            <Icon name="error" />
            <FailedChanges words={labels[failure.label]} what={failure.what} />
          </div>
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
