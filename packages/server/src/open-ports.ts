import type { Server } from 'node:http';
import { Server as TlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { Config } from './config/index.ts';
import type { PortRole } from './endpoints.ts';
import type { HttpFront } from './http/http-front.ts';
import { createHttpServer, type HttpServerOptions } from './http/http-server.ts';
import { listen, type ListenAddress } from './http/listen.ts';
import { tlsOptions } from './http/tls-options.ts';

/** A port that is listened on, by one server or, for `localhost`, by one for IPv4 and one for IPv6. */
export interface OpenPort {
  readonly role: PortRole;
  readonly port: number;
  readonly servers: readonly Server[];
  /** The one for people first. */
  readonly urls: readonly string[];
}

/**
 * Opens the port for clients, and the internal one when the configuration has one.
 *
 * @throws StartError as `listen` and `tlsOptions`; then no port is open.
 */
export async function openPorts(config: Config, front: HttpFront): Promise<readonly OpenPort[]> {
  const { http_server: http, websocket } = config;
  const rescuesHandshakes = websocket.rescue_stripped_handshakes;
  const tls = portTls(config, 'external');
  if (http.internal_port === 0) {
    const where = { address: http.address, port: http.port, portKey: 'http_server.port' } as const;
    return [await openPort({ role: 'only', where, tls, rescuesHandshakes }, front)];
  }
  const internal = {
    role: 'internal',
    where: {
      address: http.internal_address || http.address,
      port: http.internal_port,
      portKey: 'http_server.internal_port',
    },
    tls: portTls(config, 'internal'),
    rescuesHandshakes,
  } as const;
  const external = {
    role: 'external',
    where: { address: http.address, port: http.port, portKey: 'http_server.port' },
    tls,
    rescuesHandshakes,
  } as const;
  const first = await openPort(external, front);
  try {
    return [first, await openPort(internal, front)];
  } catch (error) {
    closePorts([first]);
    throw error;
  }
}

/** @throws StartError as `tlsOptions` */
function portTls({ http_server: http }: Config, role: PortRole): HttpServerOptions['tls'] {
  if (role !== 'internal') return tlsOptions(http.tls, 'http_server.tls');
  const own = tlsOptions(http.internal_tls, 'http_server.internal_tls');
  return own ?? (http.tls_external ? undefined : tlsOptions(http.tls, 'http_server.tls'));
}

/**
 * Reads certificates and keys anew, for the connections that come from now on.
 *
 * @returns whether there are any.
 * @throws StartError when some cannot work; then all stay as they were.
 */
export function renewCertificates(ports: readonly OpenPort[], config: Config): boolean {
  const renewed = ports.flatMap(({ role, servers }) => {
    const tls = portTls(config, role);
    return servers.flatMap((server) =>
      server instanceof TlsServer && tls !== undefined ? [{ server, tls }] : [],
    );
  });
  for (const { server, tls } of renewed) server.setSecureContext(tls);
  return renewed.length > 0;
}

/** Accepts nothing new; connections that are open stay. */
export function closePorts(ports: readonly OpenPort[]): void {
  for (const { servers } of ports) for (const server of servers) server.close();
}

interface PortPlan {
  readonly role: PortRole;
  readonly where: ListenAddress;
  readonly tls: HttpServerOptions['tls'] | undefined;
  readonly rescuesHandshakes: boolean;
}

async function openPort(
  { role, where, tls, rescuesHandshakes }: PortPlan,
  front: HttpFront,
): Promise<OpenPort> {
  const servers = await listen(where, () =>
    createHttpServer({
      ...(tls && { tls }),
      rescuesHandshakes,
      handle: front.handlerFor(role),
      badRequest: (reason, peer) => front.noteBadRequest(reason, peer),
    }).on('upgrade', front.refuseUpgrade),
  );
  const scheme = tls ? 'https' : 'http';
  const addresses = servers.map((server) => server.address() as AddressInfo);
  const port = addresses[0]?.port ?? where.port;
  const urls = addresses.map(({ address, family }) =>
    family === 'IPv6' ? `${scheme}://[${address}]:${port}` : `${scheme}://${address}:${port}`,
  );
  const forPeople = where.address === 'localhost' ? [`${scheme}://localhost:${port}`] : [];
  return { role, port, servers, urls: [...forPeople, ...urls] };
}
