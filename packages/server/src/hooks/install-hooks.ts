import { type Clock, type Hub, type Logger, systemClock } from '@holdfast/hub';
import { replyErrors } from '@holdfast/protocol';
import { askMapChange, askPublish, askSubscribe } from './channel-hooks.ts';
import { askConnect } from './connect-hook.ts';
import { HookEndpoints, type HooksMetrics } from './hook-endpoints.ts';
import type { HooksOptions } from './options.ts';
import { askRefresh, askSubRefresh } from './refresh-hooks.ts';
import { askRpc } from './rpc-hook.ts';
import { askSharedPoll } from './shared-poll-hook.ts';

/** Backend hooks at work. */
export interface Hooks {
  metrics(): HooksMetrics;
  /**
   * Endpoints that do not work, by configuration key and with the reason; empty when all do, or none
   * was asked yet. No addresses, so that it can be shown to anybody.
   */
  problems(): readonly string[];
  /** Takes the hooks off the hub, fails calls under way and closes the connections. */
  close(): void;
}

/** What hooks need beside their options. */
export interface HooksContext {
  /** @defaultValue no logging */
  readonly logger?: Logger;
  /** @defaultValue the system's clock */
  readonly clock?: Clock;
}

const silent: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
};

/**
 * Lets the application's backend answer the hub's questions, as `options` say. Every call has a
 * deadline; a backend that does not answer makes clients try again, never lets anybody in.
 *
 * @throws Error when the options cannot work, naming the configuration key and the reason.
 *
 * @example
 * ```ts
 * const hooks = installHooks(hub, { connect: { endpoint: 'http://127.0.0.1:3000/connect' } });
 * // …
 * hooks.close();
 * ```
 */
export function installHooks(
  hub: Pick<Hub, 'on'>,
  options: HooksOptions,
  context: HooksContext = {},
): Hooks {
  const { logger = silent, clock = systemClock } = context;
  const { privatePrefix = '$', rpcNamespaceBoundary = ':' } = options;
  const endpoints = new HookEndpoints(options, { logger, clock });
  const removers: (() => void)[] = [];

  if (options.connect !== undefined) {
    const caller = endpoints.main('connect');
    removers.push(
      hub.on('connecting', async (event) => {
        const credentials = await askConnect(caller, event);
        if (credentials === undefined || options.refresh === undefined) return credentials;
        return { ...credentials, serverSideRefresh: true };
      }),
    );
  }
  if (options.refresh !== undefined) {
    const caller = endpoints.main('refresh');
    removers.push(hub.on('refreshing', (event) => askRefresh(caller, event)));
  }

  const subRefresh = endpoints.perNamespace('subRefresh');
  const subscribe = endpoints.perNamespace('subscribe');
  if (subscribe.size > 0) {
    removers.push(
      hub.on('subscribing', async (event) => {
        const caller = subscribe.get(event.namespace);
        const isPrivate = privatePrefix !== '' && event.channel.startsWith(privatePrefix);
        if (caller === undefined || isPrivate || event.token !== '') return undefined;
        const grant = await askSubscribe(caller, event);
        return subRefresh.has(event.namespace) ? { ...grant, serverSideRefresh: true } : grant;
      }),
    );
  }
  if (subRefresh.size > 0) {
    removers.push(
      hub.on('subRefreshing', async (event) => {
        const caller = subRefresh.get(event.namespace);
        return caller === undefined ? undefined : askSubRefresh(caller, event);
      }),
    );
  }
  const publish = endpoints.perNamespace('publish');
  const mapPublish = endpoints.perNamespace('mapPublish');
  const mapRemove = endpoints.perNamespace('mapRemove');
  if (publish.size + mapPublish.size + mapRemove.size > 0) {
    removers.push(
      hub.on('publishing', async (event) => {
        const isMapChange = event.key !== undefined;
        const changes = event.removed === true ? mapRemove : mapPublish;
        const caller = (isMapChange ? changes : publish).get(event.namespace);
        if (caller === undefined) return undefined;
        return isMapChange ? askMapChange(caller, event) : askPublish(caller, event);
      }),
    );
  }
  const sharedPoll = endpoints.perNamespace('sharedPoll');
  if (sharedPoll.size > 0) {
    removers.push(
      hub.on('polling', async (event) => {
        const caller = sharedPoll.get(event.namespace);
        return caller === undefined ? undefined : askSharedPoll(caller, event);
      }),
    );
  }
  const rpc = endpoints.rpc();
  if (rpc.callers.size > 0) {
    removers.push(
      hub.on('rpc', async (event) => {
        const namespace = namespaceOfMethod(event.method, rpcNamespaceBoundary);
        if (!rpc.namespaces.has(namespace)) throw replyErrors.methodNotFound;
        const caller = rpc.callers.get(namespace);
        return caller === undefined ? undefined : askRpc(caller, event);
      }),
    );
  }

  return {
    metrics: () => endpoints.metrics(),
    problems: () => endpoints.problems(),
    close() {
      for (const remove of removers) remove();
      endpoints.close();
    },
  };
}

/** `''` for methods without a namespace. */
function namespaceOfMethod(method: string, boundary: string): string {
  const end = boundary === '' ? -1 : method.indexOf(boundary);
  return end === -1 ? '' : method.slice(0, end);
}
