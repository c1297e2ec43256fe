import {
  loadConfig,
  type ConfigInput,
  type LoadedConfig,
  type RefusedConfig,
} from '../config/load-config.ts';

/** What a test gives to {@link loadConfig}; files by their name in the working directory. */
export interface TestInput extends Partial<Omit<ConfigInput, 'readFile' | 'cwd'>> {
  readonly files?: Readonly<Record<string, string>>;
}

/** Loads a configuration from texts in memory. */
export function loadFrom({ files = {}, ...input }: TestInput): LoadedConfig | RefusedConfig {
  const byPath = new Map(Object.entries(files).map(([name, text]) => [`/srv/${name}`, text]));
  return loadConfig({
    cwd: '/srv',
    environment: {},
    readFile: (file) => byPath.get(file),
    ...input,
  });
}

/** As {@link loadFrom}, for a configuration that works. */
export function loadGood(input: TestInput): LoadedConfig {
  const result = loadFrom(input);
  if ('errors' in result) throw new Error(JSON.stringify(result.errors, null, 2));
  return result;
}

/** As {@link loadFrom}, for a configuration that is refused. */
export function loadBad(input: TestInput): RefusedConfig {
  const result = loadFrom(input);
  if ('errors' in result) return result;
  throw new Error('the configuration was not refused');
}
