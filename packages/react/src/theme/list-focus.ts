import { type KeyboardEvent, type RefObject, useLayoutEffect, useRef, useState } from 'react';

/** The subset of an element that is used: the same in every DOM. */
interface ElementLike {
  focus(): void;
  contains(other: unknown): boolean;
  querySelector(selector: string): ElementLike | null;
  readonly ownerDocument: { readonly activeElement: unknown };
}

export interface ListFocus<List> {
  readonly list: RefObject<List | null>;
  /** The one whose controls are reached with Tab. */
  readonly currentId: string | undefined;
  readonly onKeyDown: (event: KeyboardEvent) => void;
  /** Gives the focus to one of the list, when what had it is gone. */
  readonly rescue: (id: string | undefined) => void;
  /** To be called with the id of whatever in the list is given the focus. */
  readonly onFocus: (id: string) => void;
}

/**
 * Arrow keys, Home and End in a list, and a focus that goes to the neighbour when the one that had it
 * leaves the list.
 *
 * @param ids - of the list's elements, which have them as `data-id`
 * @param target - selects what is focused within an element
 */
export function useListFocus<List>(ids: readonly string[], target: string): ListFocus<List> {
  const list = useRef<List | null>(null);
  const [focused, setFocused] = useState<string>();
  const known = useRef(ids);
  const currentId = focused !== undefined && ids.includes(focused) ? focused : ids[0];

  const element = (): ElementLike | null => list.current as ElementLike | null;
  const targetOf = (id: string | undefined): ElementLike | null =>
    id === undefined
      ? null
      : (element()?.querySelector(`[data-id=${JSON.stringify(id)}] ${target}`) ?? null);

  useLayoutEffect(() => {
    const before = known.current;
    known.current = ids;
    if (focused === undefined || ids.includes(focused) || !before.includes(focused)) return;
    const index = before.indexOf(focused);
    rescue(before.slice(index).find((id) => ids.includes(id)) ?? ids.at(-1));
  });

  const rescue = (id: string | undefined): void => {
    const document = element()?.ownerDocument as
      | { readonly activeElement: unknown; readonly body: unknown }
      | undefined;
    const active = document?.activeElement as { readonly tagName?: string } | null | undefined;
    // The browser gives the focus to the page or the dialog when what had it is removed.
    const isLost = active === null || active === document?.body || active?.tagName === 'DIALOG';
    setFocused(id);
    if (isLost) targetOf(id)?.focus();
  };

  return {
    list,
    currentId,
    rescue,
    onFocus: setFocused,
    onKeyDown: (event) => {
      const index = ids.indexOf(currentId ?? '');
      const next = nextIndex(event.key, { index, count: ids.length });
      if (next === undefined) return;
      event.preventDefault();
      setFocused(ids[next]);
      targetOf(ids[next])?.focus();
    },
  };
}

function nextIndex(
  key: string,
  { index, count }: { readonly index: number; readonly count: number },
): number | undefined {
  switch (key) {
    case 'ArrowDown':
      return Math.min(index + 1, count - 1);
    case 'ArrowUp':
      return Math.max(index - 1, 0);
    case 'Home':
      return 0;
    case 'End':
      return count - 1;
    default:
      return undefined;
  }
}
