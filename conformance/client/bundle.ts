import path from 'node:path';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';

/** Bundles what a browser shall run. Written nowhere. */
export async function bundle(
  entry: string,
  { minify = false, external = [] }: { minify?: boolean; external?: string[] } = {},
): Promise<string> {
  const { outputFiles } = await build({
    ...(entry.endsWith('.ts') || entry.endsWith('.tsx')
      ? { entryPoints: [path.join(import.meta.dirname, entry)] }
      : { stdin: { contents: `export * from '${entry}'`, resolveDir: import.meta.dirname } }),
    bundle: true,
    write: false,
    external,
    minify,
    format: minify ? 'esm' : 'iife',
    jsx: 'automatic',
    conditions: ['@holdfast/source'],
    platform: 'browser',
    target: 'es2022',
    logLevel: 'silent',
    define: { 'process.env.NODE_ENV': '"development"' },
  });
  return outputFiles[0]?.text ?? '';
}

export function gzippedBytes(text: string): number {
  return gzipSync(text, { level: 9 }).length;
}

/** A page that runs `script`. */
export function pageFor(script: string) {
  const html = `<!doctype html><title>test</title><div id="root"></div><script src="${script}"></script>`;
  return { type: 'text/html', body: html };
}

export function scriptFile(body: string) {
  return { type: 'text/javascript', body };
}
