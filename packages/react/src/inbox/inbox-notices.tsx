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

export interface Attempts {
  /** The newest one that ended has failed. */
  readonly hasFailed: boolean;
  /** The same function each time. */
  readonly attempt: (change: Promise<void>) => void;
}

/** Changes of the user whose failure is to be said. */
export function useAttempts(): Attempts {
  const [hasFailed, setFailed] = useState(false);
  const attempt = useCallback((change: Promise<void>): void => {
    setFailed(false);
    change.catch(() => setFailed(true));
  }, []);
  return { hasFailed, attempt };
}

export interface NoticesProps {
  readonly status: InboxSnapshot['status'];
  readonly hasFailed: boolean;
  readonly onRetry: () => void;
}

/** What the user has to know about the connection, and about a change that did not work. */
export function Notices({ status, hasFailed, onRetry }: NoticesProps): ReactNode {
  const labels = useLabels();
  const isStale = useLasting(status === 'stale', staleMs);
  return (
    <>
      <div role="status">
        {isStale && (
          <p className="hf-notice">
            <Icon name="offline" />
            {labels.stale}
          </p>
        )}
      </div>
      <div role="alert">
        {hasFailed && (
          <p className="hf-notice hf-problem">
            <Icon name="error" />
            {labels.changeFailed}
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
