import type { LoadedConfig } from '../config/load-config.ts';
import { loadSections } from './load-sections.ts';

/**
 * A configuration for a test: that of a file with these sections.
 * @throws Error with all problems when it cannot work
 */
export function testConfig(sections: object): LoadedConfig {
  const result = loadSections(sections);
  if ('errors' in result) throw new Error(JSON.stringify(result.errors, null, 2));
  return result;
}
