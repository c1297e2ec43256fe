import type { IncomingHttpHeaders } from 'node:http';
import { edgeOf } from './stripped-upgrade.ts';

const everywhere =
  'nginx: proxy_read_timeout; HAProxy: timeout tunnel for WebSocket, timeout client and timeout server for streams; Apache: timeout= of ProxyPass; Envoy: stream_idle_timeout; load balancers: idle timeout';

const ofEdge: Readonly<Record<string, string>> = {
  'an AWS load balancer': 'AWS: the load balancer attribute idle_timeout.timeout_seconds',
  'a Google Cloud load balancer': 'Google Cloud: timeoutSec of the backend service',
};

/**
 * Where the idle timeout is set: at the proxy that shows in the headers of a request, or in all that
 * are common.
 */
export function idleTimeoutOptions(headers: IncomingHttpHeaders): string {
  const edge = edgeOf(headers);
  if (edge !== undefined && ofEdge[edge] !== undefined) return ofEdge[edge];
  if (headers['x-envoy-expected-rq-timeout-ms'] !== undefined) {
    return 'Envoy: stream_idle_timeout of the connection manager, timeout: 0s of the route';
  }
  // Traefik sets this header too, and always the other one with it.
  if (headers['x-forwarded-server'] !== undefined && headers['x-real-ip'] === undefined) {
    return 'Apache: timeout= of ProxyPass, or ProxyTimeout';
  }
  return everywhere;
}
