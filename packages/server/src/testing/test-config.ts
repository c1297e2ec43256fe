import type { LoadedConfig } from '../config/load-config.ts';
import { loadSections } from './load-sections.ts';

/**
 * A configuration for a test: that of a file with these sections. It keeps no store unless they say
 * where, so that tests do not meet in one data folder.
 * @throws Error with all problems when it cannot work
 */
export function testConfig(sections: object): LoadedConfig {
  const result = loadSections({ store: { enabled: false }, ...sections });
  if ('errors' in result) throw new Error(JSON.stringify(result.errors, null, 2));
  return result;
}
