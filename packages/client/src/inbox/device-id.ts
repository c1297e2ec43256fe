interface StorageLike {
  getItem(key: string): string | null;
  setItem(key: string, value: string): void;
}

const storageKey = 'holdfast:device';
let ofThisPage: string | undefined;

/**
 * Names this browser, the same in all its tabs and after each start. Where nothing can be stored
 * (Node, a browser that forbids it) it names this page.
 */
export function deviceId(): string {
  try {
    const { localStorage } = globalThis as { readonly localStorage?: StorageLike };
    if (localStorage !== undefined) {
      const kept = localStorage.getItem(storageKey);
      if (kept !== null && kept !== '') return kept;
      const made = crypto.randomUUID();
      localStorage.setItem(storageKey, made);
      return made;
    }
  } catch {
    // Reading the property alone throws where storage is forbidden.
  }
  ofThisPage ??= crypto.randomUUID();
  return ofThisPage;
}
