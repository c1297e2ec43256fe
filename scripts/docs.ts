/** `npm run docs`: writes the pages of the handbook and of `deploy/` that are made from the code. */
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import {
  apiReferenceMarkdown,
  configurationReference,
  deployFiles,
  loadConfig,
  proxySettings,
} from '@holdfast/server';

const folder = path.resolve(import.meta.dirname, '../docs');
mkdirSync(folder, { recursive: true });
writeFileSync(path.join(folder, 'configuration.md'), configurationReference());
writeFileSync(path.join(folder, 'http-api.md'), apiReferenceMarkdown());

const defaults = loadConfig({
  cwd: '/',
  environment: {},
  configFile: 'none.yaml',
  readFile: () => '{}',
  readSecrets: () => undefined,
});
if ('errors' in defaults) throw new Error(JSON.stringify(defaults.errors));
for (const [name, text] of deployFiles(proxySettings(defaults.config))) {
  writeFileSync(path.resolve(import.meta.dirname, '../deploy', name), text);
}
