/** What a server of ours says when it refuses a request. */
export interface ErrorAnswer {
  /** Stable, as `origin_not_allowed`. */
  readonly code: string;
  readonly message: string;
}

/** The error in a body; undefined when somebody else wrote it. */
export function errorAnswer(body: string): ErrorAnswer | undefined {
  try {
    const { error } = JSON.parse(body) as {
      readonly error?: { code?: unknown; message?: unknown };
    };
    if (typeof error?.code !== 'string' || typeof error.message !== 'string') return undefined;
    return { code: error.code, message: error.message };
  } catch {
    return undefined;
  }
}
