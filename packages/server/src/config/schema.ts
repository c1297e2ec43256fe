import type { z } from 'zod';
import { nodeOf, section, type SectionNode } from './option.ts';
import { channel } from './schema/channel.ts';
import { client } from './schema/client.ts';
import { admin, health, httpApi, prometheus, swagger } from './schema/endpoints.ts';
import { eventHooks } from './schema/event-hooks.ts';
import { httpServer } from './schema/http-server.ts';
import { inbox } from './schema/inbox.ts';
import { log } from './schema/log.ts';
import {
  admission,
  broker,
  dataDir,
  engine,
  mapBroker,
  node,
  pidFile,
  presenceManager,
  shutdown,
} from './schema/process.ts';
import { proxies } from './schema/proxy.ts';
import { rpc } from './schema/rpc.ts';
import { sharedPoll } from './schema/shared-poll.ts';
import { store } from './schema/store.ts';
import { tasks } from './schema/tasks.ts';
import {
  emulation,
  httpStream,
  init,
  polling,
  sse,
  uniHttpStream,
  uniSse,
  uniWebsocket,
  websocket,
} from './schema/transports.ts';

/**
 * The whole configuration. Names, meaning and defaults are Centrifugo v6's unless an option says
 * otherwise. Everything else about options (environment names, errors, printing, documentation) is
 * made from this one schema.
 */
export const configSchema = section('The configuration.', {
  data_dir: dataDir,
  http_server: httpServer,
  log,
  client,
  admission,
  channel,
  rpc,
  proxies,
  event_hooks: eventHooks,
  store,
  inbox,
  tasks,
  http_api: httpApi,
  websocket,
  http_stream: httpStream,
  sse,
  polling,
  emulation,
  uni_websocket: uniWebsocket,
  uni_http_stream: uniHttpStream,
  uni_sse: uniSse,
  init,
  shared_poll: sharedPoll,
  engine,
  broker,
  presence_manager: presenceManager,
  map_broker: mapBroker,
  admin,
  prometheus,
  health,
  swagger,
  node,
  shutdown,
  pid_file: pidFile,
});

/** A configuration that can work: every option has a value of its type. */
export type Config = z.output<typeof configSchema>;

/** The options that channels have, in a namespace or without. */
export type ChannelConfig = Config['channel']['without_namespace'];

/** A backend hook. */
export type ProxyConfig = Config['proxies'][number];

/** Everything that is known about the options. */
export const configTree: SectionNode = nodeOf(configSchema) as SectionNode;
