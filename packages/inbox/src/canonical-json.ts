/** The same text for the same JSON, in whatever order its members stand. */
export function canonicalJson(json: string): string {
  try {
    return JSON.stringify(inOrder(JSON.parse(json)));
  } catch {
    // Nested too deeply for the stack, which it was not for the one who wrote it: only the same text is
    // the same then.
    return json;
  }
}

function inOrder(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(inOrder);
  if (typeof value !== 'object' || value === null) return value;
  const members = Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(members.map(([name, member]) => [name, inOrder(member)]));
}
