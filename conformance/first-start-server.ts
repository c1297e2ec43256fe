import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createLogger, loadConfig, startServer, type RunningServer } from '@holdfast/server';

/** The API key that stands for the one made at a first start. */
export const firstStartApiKey = 'k'.repeat(43);

/**
 * The whole server as it is without any configuration, on a free port of localhost. Stops at the end
 * of its `using` block.
 */
export async function startFirstStartServer(): Promise<RunningServer & AsyncDisposable> {
  const folder = mkdtempSync(path.join(tmpdir(), 'holdfast-first-start-'));
  const loaded = loadConfig({
    cwd: '/',
    environment: { HOLDFAST_HTTP_SERVER_PORT: '0', HOLDFAST_DATA_DIR: folder },
    readFile: () => undefined,
    readSecrets: () => ({
      file: './data/secrets.json',
      tokenHmacSecretKey: 't'.repeat(43),
      apiKey: firstStartApiKey,
      adminSecret: 'a'.repeat(43),
    }),
  });
  if ('errors' in loaded) throw new Error(JSON.stringify(loaded.errors));
  const running = await startServer({ ...loaded, logger: createLogger({ level: 'none' }) });
  return {
    ...running,
    async [Symbol.asyncDispose]() {
      await running.stop();
      rmSync(folder, { recursive: true });
    },
  };
}
