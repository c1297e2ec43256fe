/** `npm run docs`: writes the pages of the handbook that are made from the code. */
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { apiReferenceMarkdown, configurationReference } from '@holdfast/server';

const folder = path.resolve(import.meta.dirname, '../docs');
mkdirSync(folder, { recursive: true });
writeFileSync(path.join(folder, 'configuration.md'), configurationReference());
writeFileSync(path.join(folder, 'http-api.md'), apiReferenceMarkdown());
