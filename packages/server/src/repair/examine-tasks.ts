import { existsSync } from 'node:fs';
import { openStore, parseStoreUrl, type Store, StoreError } from '@holdfast/store';
import {
  createTasks,
  examineForeignTable,
  type Finding,
  type Tasks,
  type TaskTables,
} from '@holdfast/tasks';
import { toStoreOptions, toTaskOptions, type Config } from '../config/index.ts';
import { taskChannels } from '../durable/channel-names.ts';
import { storeModules } from '../durable/store-modules.ts';
import { openForeignDatabase } from './foreign-database.ts';
import type { ForeignMapping } from './foreign-mapping.ts';

export interface RepairOptions {
  readonly heal: boolean;
  readonly limit: number;
  /** Who does it, for the audit record. */
  readonly actor: string;
}

/**
 * Examines the tasks in the store of a configuration.
 * @throws StoreError as `openStore`, and when there is no such store: none is made
 */
export async function examineOwnTasks(
  config: Config,
  { url, ...options }: RepairOptions & { readonly url: string },
): Promise<readonly Finding[]> {
  const location = parseStoreUrl(url);
  if (location.dialect === 'sqlite' && !existsSync(location.file)) {
    throw new StoreError(
      'store_misconfigured',
      `there is no store at ${location.file}: no server has run with this configuration`,
    );
  }
  await using open = await openTasks(config, url);
  return await open.tasks.examine(options);
}

/**
 * Examines a table of another product. Our own store is needed only to heal: it records every repair
 * before it is made.
 */
export async function examineMappedTable(
  config: Config,
  mapping: ForeignMapping,
  { url, ...options }: RepairOptions & { readonly url: string },
): Promise<readonly Finding[]> {
  await using foreign = await openForeignDatabase(mapping.database, { readOnly: !options.heal });
  const target = { database: foreign.database, mapping: mapping.table };
  if (!options.heal) return await examineForeignTable(undefined, target, options);
  await using open = await openTasks(config, url);
  return await examineForeignTable(open.tasks.context, target, options);
}

/** Asks a running server to examine its tasks. @throws Error with what it answered */
export async function examineOverApi(
  server: { readonly url: string; readonly apiKey: string },
  { heal, limit, actor }: RepairOptions,
): Promise<readonly Finding[]> {
  const path = heal ? '/doctor/heal' : `/doctor?limit=${limit}`;
  const response = await fetch(`${server.url}${path}`, {
    method: heal ? 'POST' : 'GET',
    signal: AbortSignal.timeout(60_000),
    headers: { 'X-API-Key': server.apiKey, 'Content-Type': 'application/json' },
    ...(heal && { body: JSON.stringify({ limit, actor }) }),
  });
  const body = (await response.json().catch(() => ({}))) as {
    readonly findings?: readonly Finding[];
    readonly error?: { readonly message?: string };
  };
  if (response.ok && body.findings !== undefined) return body.findings;
  throw new Error(body.error?.message ?? `the server answered ${response.status}`);
}

interface OpenTasks extends AsyncDisposable {
  readonly store: Store;
  readonly tasks: Tasks;
}

/** Nothing runs in the background, and nothing is published: the server does that when it is there. */
async function openTasks(config: Config, url: string): Promise<OpenTasks> {
  const options = toStoreOptions(config);
  const store = await openStore({
    ...options,
    url,
    modules: storeModules,
    sqlite: { ...options.sqlite, ownerWaitMs: 0 },
  });
  try {
    const tasks = await createTasks({
      ...toTaskOptions(config),
      store: store.withTables<TaskTables>(),
      channels: taskChannels(config),
    });
    return { store, tasks, [Symbol.asyncDispose]: () => store.close() };
  } catch (error) {
    await store.close();
    throw error;
  }
}

/** Whether a server has the store to itself. */
export function isInUse(error: unknown): boolean {
  return error instanceof StoreError && error.code === 'store_in_use';
}
