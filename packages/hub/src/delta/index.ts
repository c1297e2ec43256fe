/** Makes a patch from `base` to `target`; undefined when it would not be shorter. */
export function createDelta(_base: Uint8Array, _target: Uint8Array): Uint8Array | undefined {
  return undefined;
}
