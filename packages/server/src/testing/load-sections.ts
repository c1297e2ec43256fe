import type { LoadedConfig, RefusedConfig } from '../config/load-config.ts';
import { loadFrom } from './load-from.ts';

/** Loads a configuration file with these sections, and nothing else. */
export function loadSections(sections: object): LoadedConfig | RefusedConfig {
  return loadFrom({ files: { 'config.json': JSON.stringify(sections) } });
}
