import { useEffect, useRef } from 'react';

/** The newest of what a component was rendered with, for what is called later. */
export function useNewest<Value>(value: Value): { readonly current: Value } {
  const newest = useRef(value);
  useEffect(() => {
    newest.current = value;
  });
  return newest;
}
