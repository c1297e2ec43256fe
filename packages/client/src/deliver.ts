/**
 * Calls a listener of the application. One that throws must not keep others from hearing, nor move the
 * stream: what it threw is thrown again outside of the client.
 */
export function deliver(action: () => void): void {
  try {
    action();
  } catch (error) {
    queueMicrotask(() => {
      throw error;
    });
  }
}
