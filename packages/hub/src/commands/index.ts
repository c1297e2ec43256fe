import { type Command, replyErrors } from '@holdfast/protocol';
import type { Refusal } from '../refusal.ts';
import type { Session } from '../session.ts';
import type { Soon } from '../soon.ts';
import { connect } from './connect.ts';
import { history } from './history.ts';
import { presence, presenceStats } from './presence.ts';
import { publish } from './publish.ts';
import { refresh, refreshByServer, subRefresh, subRefreshByServer } from './refresh.ts';
import { rpc, send } from './rpc.ts';
import { subscribe, unsubscribe } from './subscribe.ts';

/**
 * Handles one command: queues the reply itself, so that whatever must follow the reply can do so in
 * the same turn, or returns why it is refused.
 */
export type CommandHandler = (session: Session, command: Command) => Soon<Refusal | undefined>;

type ClientMethod = Exclude<keyof Command, 'id'>;
type ServerMethod = 'server_refresh' | 'server_sub_refresh';
export type CommandMethod = ClientMethod | ServerMethod;

const clientHandlers: Readonly<Record<ClientMethod, CommandHandler>> = {
  connect,
  subscribe,
  unsubscribe,
  publish,
  presence,
  presence_stats: presenceStats,
  history,
  // Application pings go from the server to the client only.
  ping: () => replyErrors.notAvailable,
  send,
  rpc,
  refresh,
  sub_refresh: subRefresh,
};

/** What the server does on its own, with the same outcomes as a command. */
const serverHandlers: Readonly<Record<ServerMethod, CommandHandler>> = {
  server_refresh: refreshByServer,
  server_sub_refresh: subRefreshByServer,
};

const handlers: Readonly<Record<CommandMethod, CommandHandler>> = {
  ...clientHandlers,
  ...serverHandlers,
};

const methods = Object.keys(clientHandlers) as ClientMethod[];

/** The request a command carries; the first one in the order of the protocol wins. */
export function methodOf(command: Command): ClientMethod | undefined {
  return methods.find((method) => command[method] !== undefined);
}

export function handleCommand(
  session: Session,
  command: Command,
  method: CommandMethod,
): ReturnType<CommandHandler> {
  return handlers[method](session, command);
}
