/**
 * The servers that are measured. Each has a server side, which runs in a process of its own, and
 * the dialect that its subscribers speak, which runs in the load generator.
 *
 * @module
 */
import type { Listening } from './listen.ts';
import type { SubscriberDialect } from '../subscribers/subscriber-dialect.ts';

export interface ServerSettings {
  /** How often every connection is pinged; 0: never. */
  readonly pingIntervalMs: number;
}

export interface RunningServer extends Listening {
  /** Sends each of these JSON texts to every subscriber, all within this turn of the event loop. */
  publish(messages: readonly string[]): void | Promise<void>;
}

export type StartServer = (settings: ServerSettings) => Promise<RunningServer>;

interface Target {
  readonly description: string;
  readonly server: () => Promise<StartServer>;
  readonly dialect: () => Promise<SubscriberDialect>;
}

/** Imported on demand, so that no process carries the memory of a target that is not its own. */
const targets: Readonly<Record<string, Target>> = {
  'plain-ws': {
    description: 'ws handshake, then one prebuilt frame written to each socket: the bare loop',
    server: async () => (await import('./plain-ws/server.ts')).startPlainWs,
    dialect: async () => (await import('./plain-ws/dialect.ts')).plainWsDialect,
  },
  'plain-ws+jwt': {
    description: 'the same, subscribed by the least of our protocol: token, connect, subscribe',
    server: async () => (await import('./plain-ws/server-with-jwt.ts')).startPlainWsWithJwt,
    dialect: async () => (await import('./holdfast/dialect.ts')).holdfastDialect,
  },
  'socket.io': {
    description: 'Socket.IO as installed, WebSocket transport, subscribers joined to one room',
    server: async () => (await import('./socket-io/server.ts')).startSocketIo,
    dialect: async () => (await import('./socket-io/dialect.ts')).socketIoDialect,
  },
  holdfast: {
    description: 'the hub through its library API, subscribers speak JSON',
    server: async () => (await import('./holdfast/server.ts')).startHoldfast,
    dialect: async () => (await import('./holdfast/dialect.ts')).holdfastDialect,
  },
};

export const targetNames: readonly string[] = Object.keys(targets);

function target(name: string): Target {
  const found = targets[name];
  if (found === undefined) {
    throw new Error(`No target is called ${name}; there are ${targetNames.join(', ')}`);
  }
  return found;
}

export function describeTarget(name: string): string {
  return target(name).description;
}

export function loadServer(name: string): Promise<StartServer> {
  return target(name).server();
}

export function loadDialect(name: string): Promise<SubscriberDialect> {
  return target(name).dialect();
}
