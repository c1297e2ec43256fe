/** Reads the text of a file by its name, `undefined` when there is no such file. */
export type ReadTextFile = (file: string) => string | undefined;

const beginning = '-----BEGIN ';

/**
 * Certificates and keys can be configured as PEM text, as the same in base64, or as the path of a
 * file with PEM text.
 * @returns the PEM text, `undefined` when the value is none of these.
 */
export function pemText(value: string, readFile: ReadTextFile): string | undefined {
  // Environment variables often hold line ends as \n.
  if (value.includes(beginning)) return value.replaceAll(String.raw`\n`, '\n');
  const decoded = /^[A-Za-z0-9+/=\s]+$/.test(value) ? Buffer.from(value, 'base64').toString() : '';
  if (decoded.includes(beginning)) return decoded;
  const text = readFile(value);
  return text?.includes(beginning) === true ? text : undefined;
}
