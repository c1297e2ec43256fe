import { loadConfig, type LoadedConfig } from '../config/load-config.ts';

/**
 * A configuration for a test: that of a file with these sections.
 * @throws Error with all problems when it cannot work
 */
export function testConfig(sections: object): LoadedConfig {
  const result = loadConfig({
    cwd: '/',
    environment: {},
    readFile: (file) => (file.endsWith('config.json') ? JSON.stringify(sections) : undefined),
  });
  if ('errors' in result) throw new Error(JSON.stringify(result.errors, null, 2));
  return result;
}
