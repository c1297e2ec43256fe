import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { WebSocket, type ClientOptions } from 'ws';
import { RestartableServer } from './restartable-server.ts';
import { TcpRelay } from './tcp-relay.ts';

/** A server, and a path to it that can become a black hole: packets vanish, and nobody is told. */
export interface HalfOpenPath extends AsyncDisposable {
  readonly server: RestartableServer;
  /** Where clients reach the server over this path. */
  readonly url: string;
  /** A class whose sockets take this path. */
  readonly webSocket: unknown;
  swallow(isSwallowing: boolean): void;
}

export interface PathKind {
  readonly name: string;
  readonly start: () => Promise<HalfOpenPath>;
}

/** Not in everybody's search path. */
const ipProgram = existsSync('/usr/sbin/ip') ? '/usr/sbin/ip' : 'ip';

function ip(...args: readonly string[]): void {
  execFileSync(ipProgram, args, { stdio: 'pipe' });
}

/**
 * Two network namespaces: the server in one, and before it a router. In the router the packets to and
 * from one address of this machine can be dropped, without a word to either side.
 */
class Namespaces implements Disposable {
  // Of the range for tests of networks (RFC 2544), so that nothing of this machine has it.
  readonly #prefix = `198.${18 + random(2)}.${random(256)}`;
  readonly #id = `hf${process.pid.toString(36)}${random(1_000).toString(36)}`;
  readonly #router = `${this.#id}r`;
  readonly serverSpace = `${this.#id}s`;
  readonly serverAddress = `${this.#prefix}.10`;
  /** The one whose packets can be dropped; the machine has a second one that is never cut off. */
  readonly clientAddress = `${this.#prefix}.2`;

  constructor() {
    const [prefix, router, space] = [this.#prefix, this.#router, this.serverSpace];
    const link = `${this.#id}c`;
    try {
      ip('netns', 'add', router);
      ip('netns', 'add', space);
      ip('link', 'add', link, 'type', 'veth', 'peer', 'name', 'near', 'netns', router);
      ip(
        '-n',
        router,
        'link',
        'add',
        'far',
        'type',
        'veth',
        'peer',
        'name',
        'uplink',
        'netns',
        space,
      );
      ip('addr', 'add', `${prefix}.1/29`, 'dev', link);
      ip('addr', 'add', `${prefix}.2/29`, 'dev', link);
      ip('link', 'set', link, 'up');
      ip('-n', router, 'addr', 'add', `${prefix}.3/29`, 'dev', 'near');
      ip('-n', router, 'addr', 'add', `${prefix}.9/29`, 'dev', 'far');
      ip('-n', space, 'addr', 'add', `${prefix}.10/29`, 'dev', 'uplink');
      for (const device of ['near', 'far']) ip('-n', router, 'link', 'set', device, 'up');
      for (const device of ['uplink', 'lo']) ip('-n', space, 'link', 'set', device, 'up');
      ip('netns', 'exec', router, 'sh', '-c', 'echo 1 > /proc/sys/net/ipv4/ip_forward');
      ip('route', 'add', `${prefix}.8/29`, 'via', `${prefix}.3`);
      ip('-n', space, 'route', 'add', 'default', 'via', `${prefix}.9`);
    } catch (error) {
      this[Symbol.dispose]();
      throw error;
    }
  }

  swallow(isSwallowing: boolean): void {
    const verb = isSwallowing ? 'add' : 'del';
    for (const direction of ['from', 'to']) {
      ip('-n', this.#router, 'rule', verb, direction, this.clientAddress, 'blackhole');
    }
  }

  /** What lives in them, and the link to them, goes with them. */
  [Symbol.dispose](): void {
    for (const space of [this.#router, this.serverSpace]) {
      try {
        ip('netns', 'del', space);
      } catch {
        // It was never made.
      }
    }
  }
}

function random(below: number): number {
  return Math.floor(Math.random() * below);
}

async function startNamespaces(): Promise<HalfOpenPath> {
  const spaces = new Namespaces();
  const localAddress = spaces.clientAddress;
  try {
    const server = await RestartableServer.start({
      address: spaces.serverAddress,
      command: [ipProgram, 'netns', 'exec', spaces.serverSpace],
    });
    return {
      server,
      url: server.url,
      webSocket: class extends WebSocket {
        constructor(url: string, protocols?: string | string[], options?: ClientOptions) {
          super(url, protocols, { ...options, localAddress });
        }
      },
      swallow: (isSwallowing) => spaces.swallow(isSwallowing),
      async [Symbol.asyncDispose]() {
        await server[Symbol.asyncDispose]();
        spaces[Symbol.dispose]();
      },
    };
  } catch (error) {
    spaces[Symbol.dispose]();
    throw error;
  }
}

async function startRelay(): Promise<HalfOpenPath> {
  const server = await RestartableServer.start();
  const relay = await TcpRelay.start(Number(new URL(server.url).port));
  return {
    server,
    url: relay.url,
    webSocket: WebSocket,
    swallow: (isSwallowing) => {
      relay.mode = isSwallowing ? 'silent' : 'open';
    },
    async [Symbol.asyncDispose]() {
      await relay[Symbol.asyncDispose]();
      await server[Symbol.asyncDispose]();
    },
  };
}

function mayMakeNamespaces(): string | undefined {
  try {
    new Namespaces()[Symbol.dispose]();
    return undefined;
  } catch (error) {
    return (error as Error).message.trim().split('\n').at(-1);
  }
}

const refusal = mayMakeNamespaces();

/** All the kinds of paths that this machine allows; the names say when it does not allow all. */
export const halfOpenPaths: readonly PathKind[] = [
  {
    name:
      refusal === undefined
        ? 'a relay that goes silent'
        : `a relay that goes silent (network namespaces need root and iproute2 here: ${refusal})`,
    start: startRelay,
  },
  ...(refusal === undefined
    ? [{ name: 'a black hole between two network namespaces', start: startNamespaces }]
    : []),
];
