import type { JwtVerifierOptions } from '@holdfast/hub';

/** How the configuration verifies tokens. */
export interface TokenSections {
  /** `client.token`; missing when no key is configured. */
  readonly connection?: JwtVerifierOptions;
  /** `client.subscription_token`, when it is enabled. */
  readonly subscription?: JwtVerifierOptions;
}

export type TokenKind = 'connection' | 'subscription';

/** The section that decides about a kind of token, with its key in the configuration. */
export interface TokenSection {
  readonly key: 'client.token' | 'client.subscription_token';
  readonly options: JwtVerifierOptions | undefined;
}

/** Subscription tokens are verified by `client.token` unless they have a section of their own. */
export function sectionFor(kind: TokenKind, sections: TokenSections): TokenSection {
  if (kind === 'subscription' && sections.subscription) {
    return { key: 'client.subscription_token', options: sections.subscription };
  }
  return { key: 'client.token', options: sections.connection };
}

/** What a token command has to say. */
export interface TokenCommandResult {
  /** For standard output. */
  readonly output: string;
  /** For standard error, so that the output alone can be used by scripts. */
  readonly notes: readonly string[];
  /** False: the exit code is 1. */
  readonly isOk: boolean;
}
