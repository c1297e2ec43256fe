import { loadConfig, type LoadedConfig, type RefusedConfig } from '../config/load-config.ts';

/** Loads a configuration file with these sections, and nothing else. */
export function loadSections(sections: object): LoadedConfig | RefusedConfig {
  return loadConfig({
    cwd: '/',
    environment: {},
    readFile: (file) => (file === '/config.json' ? JSON.stringify(sections) : undefined),
  });
}
