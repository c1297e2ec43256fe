import {
  type Clock,
  type Connection,
  type Hub,
  type LabelledCounter,
  type Logger,
  systemClock,
} from '@holdfast/hub';
import type { Bytes } from '@holdfast/protocol';
import { decodeUtf8, isJson, type JsonWithRaw } from '../../api/raw-json.ts';
import { ChannelOccupancy } from './channel-occupancy.ts';
import { EventHook, type HubEvent } from './event-hook.ts';
import type { EventHookOptions } from './options.ts';

/** What one event hook has done; read at scrape time. */
export interface EventHookMetrics {
  readonly name: string;
  /** Events that wait to be accepted by the backend. */
  readonly backlog: number;
  /** Those of them that a crash would cost: they are still on their way to the disk. */
  readonly unwrittenEvents: number;
  readonly journalBytes: number;
  readonly deliveredEvents: number;
  /** Events given up: the journal was full, or the disk refused. */
  readonly lostEvents: number;
  /** By outcome. */
  readonly requests: LabelledCounter;
}

/** Event hooks at work. */
export interface EventHooks {
  metrics(): readonly EventHookMetrics[];
  /** What keeps events from arriving or from being kept; empty when all is well. No addresses. */
  problems(): readonly string[];
  /**
   * Takes the hooks off the hub and sends what is left, for at most `timeoutMs`; the rest is sent after
   * the next start. Call it after the hub's shutdown, so that the farewells are among the events.
   * @defaultValue 5000
   */
  close(options?: { readonly timeoutMs?: number }): Promise<void>;
}

/** What event hooks need beside their options. */
export interface EventHooksContext {
  /** The hooks' journals are kept here, in a folder for each. One process at a time. */
  readonly folder: string;
  /** @defaultValue no logging */
  readonly logger?: Logger;
  /** @defaultValue the system's clock */
  readonly clock?: Clock;
  /** In [0, 1). @defaultValue `Math.random` */
  readonly random?: () => number;
  /** @defaultValue `crypto.randomUUID` */
  readonly randomId?: () => string;
}

const silent: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
};

/**
 * Tells the application's backend what happens on this node: clients come and go, subscribe and
 * unsubscribe, channels are occupied and vacated. Each event is delivered at least once, in order, also
 * when the backend is away for hours or this process is killed.
 *
 * @throws Error when the options cannot work or a journal cannot be opened; nothing is left behind then.
 *
 * @example
 * ```ts
 * const events = await installEventHooks(
 *   hub,
 *   [{ name: 'backend', endpoint: 'https://app.example.com/events', secret: 'whsec_…' }],
 *   { folder: './data/event-hooks' },
 * );
 * // …
 * await hub.shutdown();
 * await events.close();
 * ```
 */
export async function installEventHooks(
  hub: Pick<Hub, 'on' | 'nodeId'>,
  options: readonly EventHookOptions[],
  context: EventHooksContext,
): Promise<EventHooks> {
  const { folder, logger = silent, clock = systemClock, random = Math.random } = context;
  const { randomId = () => crypto.randomUUID() } = context;
  const hookContext = { folder, nodeId: hub.nodeId, clock, logger, random, randomId };
  const hooks: EventHook[] = [];
  try {
    for (const hook of options) hooks.push(await EventHook.open(hook, hookContext));
  } catch (error) {
    await Promise.all(hooks.map((hook) => hook.close(0)));
    throw error;
  }
  const tell = (event: Omit<HubEvent, 'time'>): void => {
    const happened = { ...event, time: clock.now() };
    for (const hook of hooks) hook.tell(happened);
  };
  const removers = hooks.length === 0 ? [] : listen(hub, tell);
  return {
    metrics: () =>
      hooks.map(({ name, journal, delivery }) => ({
        name,
        backlog: journal.backlog,
        unwrittenEvents: journal.unwrittenEvents,
        journalBytes: journal.diskBytes,
        deliveredEvents: delivery.deliveredEvents,
        lostEvents: journal.lostEvents,
        requests: delivery.requests,
      })),
    problems: () => hooks.flatMap((hook) => hook.problems()),
    async close({ timeoutMs = 5_000 } = {}) {
      for (const remove of removers) remove();
      await Promise.all(hooks.map((hook) => hook.close(timeoutMs)));
    },
  };
}

function listen(
  hub: Pick<Hub, 'on'>,
  tell: (event: Omit<HubEvent, 'time'>) => void,
): readonly (() => void)[] {
  const occupancy = new ChannelOccupancy();
  return [
    hub.on('connected', (connection) => {
      tell({ type: 'connect', connection, members: introduction(connection) });
    }),
    hub.on('disconnected', ({ connection, code, reason }) => {
      tell({ type: 'disconnect', connection, members: { code, reason } });
    }),
    hub.on('subscribed', ({ connection, channel, isServerSide }) => {
      tell({ type: 'subscribe', connection, channel, members: { server_side: isServerSide } });
      if (occupancy.enter(channel)) tell({ type: 'occupied', channel, members: {} });
    }),
    hub.on('unsubscribed', ({ connection, channel, isServerSide, code, reason }) => {
      const members = { server_side: isServerSide, code, reason };
      tell({ type: 'unsubscribe', connection, channel, members });
      if (occupancy.leave(channel)) tell({ type: 'vacated', channel, members: {} });
    }),
  ];
}

/** How the connection is made and what it said about itself. */
function introduction(connection: Connection): Readonly<Record<string, JsonWithRaw>> {
  const { transport, name, version, info } = connection;
  return {
    transport: transport.name,
    protocol: transport.format,
    name: name === '' ? undefined : name,
    version: version === '' ? undefined : version,
    ...infoMembers(info),
  };
}

function infoMembers(info: Bytes | undefined): Readonly<Record<string, JsonWithRaw>> {
  if (info === undefined) return {};
  const text = decodeUtf8(info);
  if (text !== undefined && isJson(text)) return { info };
  return { b64info: Buffer.from(info).toString('base64') };
}
