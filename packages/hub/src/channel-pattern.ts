/**
 * Compiles a glob over channel names: `*` stands for any run of characters but the separators `:`
 * and `.`, `**` for any run at all, `?` for one character. Everything else stands for itself.
 */
export function compileChannelPattern(pattern: string): (channel: string) => boolean {
  if (pattern === '' || pattern === '*' || pattern === '**') return () => true;
  const source = pattern
    .split(/(\*+|\?)/)
    .map((part) => {
      if (part === '*') return '[^:.]*';
      if (part.startsWith('*')) return '.*';
      if (part === '?') return '.';
      return part.replaceAll(/[\\^$.*+?()[\]{}|]/g, String.raw`\$&`);
    })
    .join('');
  const expression = new RegExp(`^${source}$`, 's');
  return (channel) => expression.test(channel);
}
