import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { StartError } from '../start-error.ts';

/** Where to listen, with the configuration keys that people would change. */
export interface ListenAddress {
  /** Empty: every interface. `localhost`: the loopback interface in IPv4 and IPv6. */
  readonly address: string;
  /** 0: any free port. */
  readonly port: number;
  readonly portKey: 'http_server.port' | 'http_server.internal_port';
}

/** How often another free port is tried when the one got for IPv4 is taken for IPv6. */
const freePortAttempts = 10;

/**
 * Listens on one port, with as many servers as addresses are needed.
 *
 * @returns the servers that listen, at least one, all on the same port.
 * @throws StartError saying what keeps it from listening; nothing listens then.
 */
export async function listen(
  where: ListenAddress,
  createServer: () => Server,
): Promise<readonly Server[]> {
  if (where.address !== 'localhost') return [await listenOn(where, where, createServer())];
  for (let attempt = 1; ; attempt += 1) {
    const first = await listenOn({ ...where, address: '127.0.0.1' }, where, createServer());
    const { port } = first.address() as AddressInfo;
    try {
      return [first, await listenOn({ ...where, address: '::1', port }, where, createServer())];
    } catch (error) {
      // A machine without IPv6 has one loopback address, and that is enough.
      if (error instanceof StartError && error.code === 'address_unavailable') return [first];
      first.close();
      if (where.port !== 0 || attempt === freePortAttempts) throw error;
    }
  }
}

function listenOn(
  { address, port }: Pick<ListenAddress, 'address' | 'port'>,
  where: ListenAddress,
  server: Server,
): Promise<Server> {
  return new Promise((resolve, reject) => {
    const fail = (error: NodeJS.ErrnoException): void => {
      reject(explain(error, { ...where, address, port }));
    };
    server.once('error', fail);
    server.listen({ port, ...(address !== '' && { host: address }) }, () => {
      server.off('error', fail);
      resolve(server);
    });
  });
}

function explain(error: NodeJS.ErrnoException, { address, port, portKey }: ListenAddress): Error {
  const place = `port ${port} of ${address === '' ? 'every interface' : address}`;
  const variable = `HOLDFAST_${portKey.replace('.', '_').toUpperCase()}`;
  const otherPort = `choose another one: ${portKey} in the configuration, or ${variable}=${port + 1}`;
  switch (error.code ?? '') {
    case 'EADDRINUSE':
      return new StartError(
        'port_in_use',
        `Cannot listen on ${place}: another program has it. Find it with "ss -ltnp sport = :${port}" (or "lsof -i :${port}") and stop it, or ${otherPort}.`,
        { cause: error },
      );
    case 'EACCES':
      return new StartError(
        'port_forbidden',
        `Cannot listen on ${place}: the system does not allow it to this user (ports below 1024 need a privilege). Put a proxy in front, or ${otherPort}.`,
        { cause: error },
      );
    case 'EADDRNOTAVAIL':
    case 'EAFNOSUPPORT':
    case 'ENOTFOUND':
      return new StartError(
        'address_unavailable',
        `Cannot listen on ${place}: this machine has no such address. Correct http_server.address.`,
        { cause: error },
      );
    default:
      return error;
  }
}
