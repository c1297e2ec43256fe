/** The addresses that the doctor visits. */
export interface DoctorTarget {
  readonly isSecure: boolean;
  readonly hostname: string;
  readonly port: number;
  /** Origin of a page that is served from the same address. */
  readonly origin: string;
  readonly websocket: string;
  readonly sse: string;
  readonly httpStream: string;
  readonly emulation: string;
  readonly polling: string;
}

const websocketPath = '/connection/websocket';

/**
 * Understands `https://host`, `https://host/prefix` and `wss://host/connection/websocket`. A path of a
 * ws address is the endpoint itself; a path of an http address is what stands before the endpoints,
 * unless it is the endpoint.
 *
 * @returns undefined when it is no such address
 */
export function doctorTarget(text: string): DoctorTarget | undefined {
  const url = URL.parse(/^[a-z]+:\/\//i.test(text) ? text : `https://${text}`);
  if (url === null || !/^(?:https?|wss?):$/.test(url.protocol)) return undefined;
  const isSecure = url.protocol === 'https:' || url.protocol === 'wss:';
  const path = url.pathname.replace(/\/$/, '');
  const isEndpoint = url.protocol.startsWith('ws') && path !== '';
  const prefix = path.endsWith(websocketPath)
    ? path.slice(0, -websocketPath.length)
    : isEndpoint
      ? ''
      : path;
  const http = `${isSecure ? 'https' : 'http'}://${url.host}`;
  const endpoint = isEndpoint ? path : prefix + websocketPath;
  return {
    isSecure,
    hostname: url.hostname.replaceAll(/[[\]]/g, ''),
    port: Number(url.port) || (isSecure ? 443 : 80),
    origin: http,
    websocket: `${isSecure ? 'wss' : 'ws'}://${url.host}${endpoint}`,
    sse: `${http}${prefix}/connection/sse`,
    httpStream: `${http}${prefix}/connection/http_stream`,
    emulation: `${http}${prefix}/emulation`,
    polling: `${http}${prefix}/connection/polling`,
  };
}
