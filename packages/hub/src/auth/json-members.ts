/**
 * The source text of each member of a JSON object, so that application data goes on exactly as it
 * was written: numbers keep their digits, and deep nesting costs no recursion. Of duplicate members
 * the last one counts, as in `JSON.parse`. Line breaks between tokens are removed, because JSON
 * replies are separated by them.
 *
 * @param text a JSON object that `JSON.parse` has accepted; anything else gives nonsense.
 */
export function jsonMembers(text: string): ReadonlyMap<string, string> {
  const members = new Map<string, string>();
  let at = skipSpace(text, text.indexOf('{') + 1);
  while (at < text.length && text[at] !== '}') {
    const nameEnd = valueEnd(text, at);
    const name = JSON.parse(text.slice(at, nameEnd)) as string;
    const start = skipSpace(text, text.indexOf(':', nameEnd) + 1);
    const end = valueEnd(text, start);
    // A line break inside a JSON string is always escaped, so a raw one is only layout.
    members.set(name, text.slice(start, end).replaceAll(/[\r\n]+/g, ''));
    at = skipSpace(text, end);
    if (text[at] === ',') at = skipSpace(text, at + 1);
  }
  return members;
}

function skipSpace(text: string, from: number): number {
  let at = from;
  while (at < text.length && ' \t\r\n'.includes(text.charAt(at))) at += 1;
  return at;
}

function valueEnd(text: string, start: number): number {
  const first = text[start];
  if (first === '"') return stringEnd(text, start);
  if (first !== '{' && first !== '[') {
    let at = start;
    while (at < text.length && !',}] \t\r\n'.includes(text.charAt(at))) at += 1;
    return at;
  }
  let depth = 0;
  let at = start;
  do {
    const char = text[at];
    if (char === '"') {
      at = stringEnd(text, at);
      continue;
    }
    if (char === '{' || char === '[') depth += 1;
    else if (char === '}' || char === ']') depth -= 1;
    at += 1;
  } while (depth > 0 && at < text.length);
  return at;
}

function stringEnd(text: string, start: number): number {
  let at = start + 1;
  while (at < text.length && text[at] !== '"') at += text[at] === '\\' ? 2 : 1;
  return at + 1;
}
