import { choice, flag, integer, secret, section } from '../option.ts';
import { pathPrefix } from './path-prefix.ts';

export const httpApi = section('The HTTP API that backends publish with.', {
  disabled: flag(false, 'Do not serve the API.'),
  handler_prefix: pathPrefix('/api', 'the API'),
  key: secret(
    'Key that requests must carry (`X-API-Key`). When empty, one is made at the first start and kept in the data folder.',
  ),
  error_mode: choice(
    ['', 'transport'],
    'How errors are told: in the body with status 200 (the default), or as HTTP statuses (`transport`).',
  ),
  max_body_size: integer(10_485_760, 'Longest request body in bytes.', { own: true, min: 1_024 }),
  external: flag(
    false,
    'Serve the API on the port for clients although there is an internal port.',
  ),
  insecure: flag(false, 'No key needed. Only where nobody else can reach the API.'),
});

export const admin = section('The admin web interface.', {
  enabled: flag(false, 'Serve the interface.'),
  handler_prefix: pathPrefix('', 'the interface'),
  password: secret('Password to sign in with.'),
  secret: secret(
    'Signs the sessions of signed-in admins. When empty, one is made at the first start and kept in the data folder.',
  ),
  insecure: flag(false, 'No sign-in needed. Only where nobody else can reach the interface.'),
  external: flag(
    false,
    'Serve the interface on the port for clients although there is an internal port.',
  ),
});

export const prometheus = section("Metrics in Prometheus's format.", {
  enabled: flag(false, 'Serve the endpoint.'),
  handler_prefix: pathPrefix('/metrics', 'the endpoint'),
});

export const health = section('Whether the process lives (`/health`) and is ready (`/ready`).', {
  enabled: flag(false, 'Serve the endpoints.'),
  handler_prefix: pathPrefix('/health', 'the liveness endpoint'),
});

export const swagger = section('The description of the HTTP API (OpenAPI), browsable.', {
  enabled: flag(false, 'Serve the pages.'),
  handler_prefix: pathPrefix('/swagger', 'the pages'),
});
