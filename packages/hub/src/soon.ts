/**
 * Answers that are mostly there at once: a token signed with a shared secret, a channel that this node
 * has already, a permission that the configuration decides. Who waits for them all the same pays for a
 * promise and a turn of the queue at each step, which in a storm of connects is a large part of all
 * that is done; so what need not wait returns its answer, and is asked before it is waited for.
 *
 * @module
 */

/** An answer, or the promise of one. */
export type Soon<Value> = Value | Promise<Value>;

/** Whether there is something to wait for. */
export function isPending<Value>(answer: Soon<Value>): answer is Promise<Value> {
  // Not by its class: an application may bring promises of its own.
  return typeof (answer as { readonly then?: unknown } | null | undefined)?.then === 'function';
}

/** Asks; what is thrown at once becomes what is thrown later, for who deals with both in one place. */
export function atOnce<Value>(ask: () => Soon<Value>): Soon<Value> {
  try {
    return ask();
  } catch (error) {
    return Promise.reject(error);
  }
}

/** Goes on with the answer: at once when it is there, else when it comes. */
export function whenThere<Value, Result>(
  answer: Soon<Value>,
  goOn: (value: Value) => Soon<Result>,
): Soon<Result> {
  return isPending(answer) ? answer.then(goOn) : goOn(answer);
}
