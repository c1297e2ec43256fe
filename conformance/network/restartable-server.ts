import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { type ServerProcess, type ServerPlace, startServerProcess } from '../server-process.ts';
import { channel } from './two-clients.ts';

const apiKey = 'key-of-a-test';

/** The program in a process of its own, with pings every second and recovery in every channel. */
export class RestartableServer implements AsyncDisposable {
  readonly #folder: string;
  readonly #place: ServerPlace;
  #process: ServerProcess;

  static async start(place: ServerPlace = {}): Promise<RestartableServer> {
    const folder = mkdtempSync(path.join(tmpdir(), 'holdfast-network-'));
    return new RestartableServer(folder, place, await launch(folder, place));
  }

  private constructor(folder: string, place: ServerPlace, process: ServerProcess) {
    this.#folder = folder;
    this.#place = place;
    this.#process = process;
  }

  /** `http://host:port`, the same one after a restart. */
  get url(): string {
    return this.#process.url;
  }

  metric(name: string): Promise<number> {
    return this.#process.metric(name);
  }

  async publish(data: unknown): Promise<void> {
    const response = await fetch(`${this.url}/api/publish`, {
      method: 'POST',
      headers: { 'X-API-Key': apiKey },
      body: JSON.stringify({ channel, data }),
    });
    const { error } = (await response.json()) as { readonly error?: unknown };
    if (error !== undefined) throw new Error(JSON.stringify(error));
  }

  /** SIGKILL. */
  kill(): Promise<void> {
    return this.#process.kill();
  }

  async restart(): Promise<void> {
    const port = Number(new URL(this.url).port);
    this.#process = await launch(this.#folder, { ...this.#place, port });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#process.kill();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

function launch(folder: string, place: ServerPlace & { readonly port?: number }) {
  const { address = '127.0.0.1', port = 0 } = place;
  return startServerProcess(
    folder,
    {
      http_server: { address, port },
      http_api: { key: apiKey },
      client: {
        allow_anonymous_connect_without_token: true,
        ping_interval: '1s',
        pong_timeout: '500ms',
      },
      channel: {
        without_namespace: {
          history_size: 1_000,
          history_ttl: '300s',
          force_recovery: true,
          allow_subscribe_for_client: true,
          allow_subscribe_for_anonymous: true,
        },
      },
    },
    place,
  );
}
