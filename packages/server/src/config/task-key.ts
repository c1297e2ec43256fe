const placeholder = /\{([^{}]*)\}/g;
const member = /^payload(?:\.[^.{}]+)+$/;

/**
 * Why a pattern of `tasks.kinds[].key` cannot work, to follow "it", or undefined.
 */
export function taskKeyFault(pattern: string): string | undefined {
  for (const [, name = ''] of pattern.matchAll(placeholder)) {
    if (name !== 'user' && !member.test(name)) return `asks for {${name}}`;
  }
  return /[{}]/.test(pattern.replaceAll(placeholder, ''))
    ? 'has a brace without its other'
    : undefined;
}

/**
 * The function that makes the keys that a pattern describes: `{user}` is the owner, `{payload.a.b}` a
 * text, number or boolean of the payload. Undefined when something that is asked for is not there.
 * What is put in is escaped, so that no payload can imitate the key of another.
 */
export function compileTaskKey(
  pattern: string,
): (payload: unknown, owner: string) => string | undefined {
  return (payload, owner) => {
    let isComplete = true;
    const key = pattern.replaceAll(placeholder, (_, name: string) => {
      const value = name === 'user' ? owner : valueAt(payload, name.split('.').slice(1));
      isComplete &&= ['string', 'number', 'boolean'].includes(typeof value) && value !== '';
      return encodeURIComponent(String(value).toWellFormed());
    });
    return isComplete ? key : undefined;
  };
}

function valueAt(payload: unknown, path: readonly string[]): unknown {
  let value = payload;
  for (const step of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, step))
      return undefined;
    value = (value as Readonly<Record<string, unknown>>)[step];
  }
  return value;
}
