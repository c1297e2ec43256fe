import { constants } from 'node:fs';
import { open, rm } from 'node:fs/promises';
import type { OutgoingHttpHeaders } from 'node:http';
import path from 'node:path';
import { WebhookSigner } from '@holdfast/http';
import { type Clock, compileChannelPattern, type Connection, type Logger } from '@holdfast/hub';
import { acquireOwnerLock, makeFolder, type OwnerLock } from '@holdfast/store';
import { type JsonWithRaw, stringifyWithRaw } from '../../api/raw-json.ts';
import { basicAuthorization, parseEndpoint } from '../endpoint-url.ts';
import { ForwardedHeaders } from '../forwarded-headers.ts';
import { HttpHookClient } from '../http-hook-client.ts';
import { type ResolvedHookProxyOptions, resolveProxyOptions } from '../options.ts';
import { EventDelivery } from './event-delivery.ts';
import { EventJournal } from './event-journal.ts';
import {
  type EventHookOptions,
  type EventType,
  type ResolvedEventHookOptions,
  resolveEventHookOptions,
} from './options.ts';

/** Something that happened, before it is known which hooks it concerns. */
export interface HubEvent {
  readonly type: EventType;
  /** Unix milliseconds. */
  readonly time: number;
  readonly channel?: string;
  readonly connection?: Connection;
  /** Members of the event's JSON that are its own. */
  readonly members: Readonly<Record<string, JsonWithRaw>>;
}

export interface EventHookContext {
  /** Each hook has a folder of its own in it. */
  readonly folder: string;
  readonly nodeId: string;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly random: () => number;
  readonly randomId: () => string;
}

/** How long a predecessor that is still stopping is waited for. */
const lockWaitMs = 5_000;

interface Parts {
  readonly lock: OwnerLock;
  readonly mark: NodeMark;
  readonly journal: EventJournal;
  readonly client: HttpHookClient;
  readonly delivery: EventDelivery;
}

/** One endpoint at work: what concerns it is written to its journal, and from there delivered. */
export class EventHook {
  readonly #options: ResolvedEventHookOptions;
  readonly #context: EventHookContext;
  readonly #types: ReadonlySet<EventType>;
  readonly #channels: readonly ((channel: string) => boolean)[];
  readonly #parts: Parts;

  private constructor(options: ResolvedEventHookOptions, context: EventHookContext, parts: Parts) {
    this.#options = options;
    this.#context = context;
    this.#types = new Set(options.events);
    this.#channels = options.channels.map(compileChannelPattern);
    this.#parts = parts;
  }

  /**
   * Opens the journal and begins to deliver what is left in it. When the node before this one ended
   * without saying goodbye, the first event tells so.
   * @throws Error when the options cannot work, or another process has the journal.
   */
  static async open(given: EventHookOptions, context: EventHookContext): Promise<EventHook> {
    const options = resolveEventHookOptions(given);
    const url = parseEndpoint(options.endpoint, `event_hooks[${options.name}].endpoint`);
    const headers = headersOf(options, url);
    const folder = path.join(context.folder, options.name);
    makeFolder(folder);
    const lock = await acquireOwnerLock(path.join(folder, 'journal'), {
      clock: context.clock,
      waitMs: lockWaitMs,
    });
    try {
      const { clock, logger } = context;
      const journal = await EventJournal.open({
        folder,
        maxBytes: options.journalMaxBytes,
        syncIntervalMs: options.journalSyncIntervalMs,
        clock,
        logger,
      });
      const mark = await NodeMark.set(path.join(folder, 'node'), context.nodeId);
      const client = new HttpHookClient({ url, proxy: clientOptions(options), clock, logger });
      const signer = options.secret === '' ? undefined : new WebhookSigner(options.secret);
      const delivery = new EventDelivery({
        ...context,
        hook: options,
        url,
        journal,
        client,
        headers,
        signer,
      });
      const hook = new EventHook(options, context, { lock, mark, journal, client, delivery });
      if (mark.previous !== undefined) {
        const members = { lost_node: mark.previous };
        hook.tell({ type: 'node_lost', time: clock.now(), members });
      }
      return hook;
    } catch (error) {
      lock.release();
      throw error;
    }
  }

  get name(): string {
    return this.#options.name;
  }

  get journal(): EventJournal {
    return this.#parts.journal;
  }

  get delivery(): EventDelivery {
    return this.#parts.delivery;
  }

  /** What keeps events from arriving or from being kept; without addresses. */
  problems(): readonly string[] {
    const { journal, delivery } = this.#parts;
    const problems: string[] = [];
    if (delivery.trouble !== undefined) {
      problems.push(
        `event_hooks[${this.name}]: ${journal.backlog} events wait for the backend: ${delivery.trouble}`,
      );
    }
    if (journal.trouble !== undefined)
      problems.push(`event_hooks[${this.name}]: ${journal.trouble}`);
    return problems;
  }

  /** Writes the event to the journal when it concerns this hook. Never waits and never throws. */
  tell(event: HubEvent): void {
    if (!this.#concerns(event)) return;
    const { nodeId } = this.#context;
    this.journal.append((sequence) =>
      Buffer.from(
        stringifyWithRaw({
          id: `${nodeId}-${sequence}`,
          type: event.type,
          time: event.time,
          node: nodeId,
          ...connectionMembers(event.connection, this.#options.includeConnectionMeta),
          channel: event.channel,
          ...event.members,
        }),
      ),
    );
  }

  /** Sends what is left for at most `timeoutMs`; the rest stays for the next start. */
  async close(timeoutMs: number): Promise<void> {
    const { lock, mark, journal, client, delivery } = this.#parts;
    const { clock } = this.#context;
    try {
      const startedAt = clock.monotonic();
      await journal.flush(timeoutMs);
      await delivery.stop(Math.max(0, timeoutMs - (clock.monotonic() - startedAt)));
      client.close();
      await journal.close();
      await mark.remove();
    } finally {
      lock.release();
    }
  }

  #concerns({ type, channel }: HubEvent): boolean {
    if (type === 'node_lost') return true;
    if (this.#types.size > 0 && !this.#types.has(type)) return false;
    if (channel === undefined || this.#channels.length === 0) return true;
    return this.#channels.some((matches) => matches(channel));
  }
}

function connectionMembers(
  connection: Connection | undefined,
  includesMeta: boolean,
): Readonly<Record<string, JsonWithRaw>> {
  if (connection === undefined) return {};
  const { client, user, meta } = connection;
  return { client, user, meta: includesMeta ? meta : undefined };
}

function headersOf(options: ResolvedEventHookOptions, url: URL): OutgoingHttpHeaders {
  const headers = new ForwardedHeaders({
    httpHeaders: [],
    emulatedHeaders: [],
    staticHeaders: options.staticHeaders,
    authorization: basicAuthorization(url),
    key: `event_hooks[${options.name}]`,
  });
  return headers.build({ http: {}, emulated: {} }) ?? {};
}

/** One connection, and no circuit: the delivery waits between attempts itself. */
function clientOptions({
  endpoint,
  timeoutMs,
}: ResolvedEventHookOptions): ResolvedHookProxyOptions {
  const circuitBreaker = { failureThreshold: 0 };
  return resolveProxyOptions({ endpoint, timeoutMs, maxConnections: 1, circuitBreaker });
}

/**
 * A file that names the node while it lives. Who finds it at its start knows that the node before it
 * was killed, and which one that was.
 */
class NodeMark {
  readonly #file: string;
  /** The node that left its mark behind. */
  readonly previous: string | undefined;

  private constructor(file: string, previous: string | undefined) {
    this.#file = file;
    this.previous = previous;
  }

  static async set(file: string, nodeId: string): Promise<NodeMark> {
    const handle = await open(file, constants.O_RDWR | constants.O_CREAT, 0o600);
    try {
      const previous = (await handle.readFile('utf8')).trim();
      await handle.truncate(0);
      await handle.write(`${nodeId}\n`, 0);
      await handle.sync();
      return new NodeMark(file, previous === '' ? undefined : previous);
    } finally {
      await handle.close();
    }
  }

  async remove(): Promise<void> {
    await rm(this.#file, { force: true });
  }
}
