/** Text that databases refuse or change: NUL, halves of surrogate pairs. */
const unstorable = /\0|\p{Surrogate}/u;

/** Names and keys as text columns can hold them, almost always as they are. */
export function toStorable(text: string): string {
  return text.startsWith('"') || unstorable.test(text) ? JSON.stringify(text) : text;
}

export function fromStorable(stored: string): string {
  return stored.startsWith('"') ? (JSON.parse(stored) as string) : stored;
}
