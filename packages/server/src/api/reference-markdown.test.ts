import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { apiReferenceMarkdown } from './reference-markdown.ts';

test('docs/http-api.md is what the schemas say; if not, run: npm run docs', () => {
  const page = readFileSync(new URL('../../../../docs/http-api.md', import.meta.url), 'utf8');
  expect(page).toBe(apiReferenceMarkdown());
});
