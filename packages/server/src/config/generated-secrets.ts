import type { Layers } from './layers.ts';
import type { OptionPath } from './option-path.ts';
import { hasTokenKey } from './rules/token-rules.ts';
import type { Config } from './schema.ts';

/** Secrets that are made once for a node and kept in its data folder. */
export interface GeneratedSecrets {
  /** Where they are kept, for messages. */
  readonly file: string;
  readonly tokenHmacSecretKey: string;
  readonly apiKey: string;
  readonly adminSecret: string;
}

/**
 * Puts generated secrets where none is configured. What is configured always wins: a token key of
 * any kind keeps the generated one out, so that no second way to sign tokens opens unseen.
 */
export function applyGeneratedSecrets(
  secrets: GeneratedSecrets,
  { config, layers }: { readonly config: Config; readonly layers: Layers },
): void {
  const missing: readonly (readonly [boolean, OptionPath, string])[] = [
    [
      !hasTokenKey(config.client.token),
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
