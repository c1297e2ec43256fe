import type { Layers } from './layers.ts';
import type { OptionPath } from './option-path.ts';
import type { Config } from './schema.ts';
import { hasTokenKey } from './token-options.ts';

/** Secrets that are made once for a node and kept in its data folder. */
export interface GeneratedSecrets {
  /** Where they are kept, for messages. */
  readonly file: string;
  readonly tokenHmacSecretKey: string;
  readonly apiKey: string;
  readonly adminSecret: string;
}

/**
 * Whether secrets have to be made for this configuration: nobody could connect, or nobody could use
 * an API or admin interface that is served. A configuration that names all its secrets, and has no
 * store or one on PostgreSQL, needs no data folder and so runs on a read-only file system.
 */
export function needsGeneratedSecrets({ client, http_api: api, admin }: Config): boolean {
  return (
    needsTokenKey(client) ||
    (!api.disabled && !api.insecure && api.key.isEmpty) ||
    (admin.enabled && admin.secret.isEmpty)
  );
}

/** Whether no token could be verified and there is no other way to connect. */
function needsTokenKey(client: Config['client']): boolean {
  return !(
    hasTokenKey(client.token) ||
    client.insecure ||
    client.insecure_skip_token_signature_verify ||
    client.allow_anonymous_connect_without_token ||
    client.proxy.connect.enabled ||
    client.user_id_http_header !== ''
  );
}

/**
 * Puts generated secrets where none is configured. What is configured always wins: another way to
 * connect keeps the generated token secret out, so that no second way to sign in opens unseen.
 */
export function applyGeneratedSecrets(
  secrets: GeneratedSecrets,
  { config, layers }: { readonly config: Config; readonly layers: Layers },
): void {
  const missing: readonly (readonly [boolean, OptionPath, string])[] = [
    [
      needsTokenKey(config.client),
      ['client', 'token', 'hmac_secret_key'],
      secrets.tokenHmacSecretKey,
    ],
    [config.http_api.key.isEmpty, ['http_api', 'key'], secrets.apiKey],
    [config.admin.secret.isEmpty, ['admin', 'secret'], secrets.adminSecret],
  ];
  for (const [isMissing, path, value] of missing) {
    if (isMissing) layers.set(path, value, { source: 'generated', file: secrets.file });
  }
}
