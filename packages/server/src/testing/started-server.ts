import { createLogger } from '../logging.ts';
import { startServer, type RunningServer, type StartServerOptions } from '../server.ts';
import { testConfig } from './test-config.ts';

/** The API key of servers that tests start. */
export const testApiKey = 'key-of-a-test';

/** A reply of the API as JSON. */
export interface ApiReply {
  readonly result?: Readonly<Record<string, unknown>>;
  readonly error?: { readonly code: number; readonly message: string };
  readonly replies?: readonly unknown[];
}

/** A server for one test, on a free port of 127.0.0.1; stops at the end of its `using` block. */
export interface StartedServer extends AsyncDisposable {
  readonly running: RunningServer;
  /** `http://127.0.0.1:port` */
  readonly url: string;
  readonly websocketUrl: string;
  /** Everything that was logged, as objects. */
  readonly logLines: readonly Readonly<Record<string, unknown>>[];
  /** Calls the API with its key. */
  api(method: string, body: unknown, headers?: Readonly<Record<string, string>>): Promise<Response>;
  /** As {@link api}, for the parsed reply. */
  call(method: string, params: unknown): Promise<ApiReply>;
}

/** @param sections - of the configuration; those that tests need are there already. */
export async function startTestServer(
  sections: Readonly<Record<string, unknown>> = {},
  options: Partial<StartServerOptions> = {},
): Promise<StartedServer> {
  const logLines: Record<string, unknown>[] = [];
  const { config, sources } = testConfig({
    ...sections,
    http_server: { address: '127.0.0.1', port: 0, ...(sections.http_server as object) },
    http_api: { key: testApiKey, ...(sections.http_api as object) },
  });
  const running = await startServer({
    config,
    sources,
    logger: createLogger({
      level: 'debug',
      isPretty: false,
      destination: {
        write: (line) => void logLines.push(JSON.parse(line) as Record<string, unknown>),
      },
    }),
    ...options,
  });
  const url = running.addresses[0] ?? '';
  const api: StartedServer['api'] = (method, body, headers = {}) =>
    fetch(`${url}/api/${method}`, {
      method: 'POST',
      headers: { 'X-API-Key': testApiKey, ...headers },
      body: typeof body === 'string' ? body : JSON.stringify(body),
    });
  return {
    running,
    url,
    websocketUrl: `${url.replace('http', 'ws')}/connection/websocket`,
    logLines,
    api,
    call: async (method, params) => (await (await api(method, params)).json()) as ApiReply,
    [Symbol.asyncDispose]: () => running.stop(),
  };
}
