import { createJwtVerifier, type HubOptions } from '@holdfast/hub';
import { forgeToken } from '@holdfast/hub/testing';
import { type AppOptions, startApp, type RunningApp } from './running-app.ts';

const hmacSecretKey = 'a secret of more than thirty-two bytes';

/** Of a user whom the server subscribes to `channels`. */
export function tokenOf(sub: string, claims: object = {}): string {
  return forgeToken({ key: hmacSecretKey, claims: { sub, ...claims } });
}

export interface TokenAppOptions {
  readonly files?: AppOptions['files'];
  /** More of what the hub can do. */
  readonly hub?: HubOptions;
  /** What a page is given that asks for a token. @defaultValue Ann's, whom the server subscribes to `updates` */
  readonly tokenFor?: () => string;
  readonly historySize?: number;
}

/** An app that lets nobody in without a token, all of whose channels are recoverable. */
export function startTokenApp({
  files = {},
  hub = {},
  tokenFor = () => tokenOf('ann', { channels: ['updates'] }),
  historySize = 10_000,
}: TokenAppOptions = {}): Promise<RunningApp> {
  return startApp({
    files: {
      ...files,
      '/token': {
        type: 'text/plain',
        get body() {
          return tokenFor();
        },
      },
    },
    hub: {
      ...hub,
      tokens: createJwtVerifier({ hmacSecretKey }),
      client: { insecure: false, recoveryMaxPublicationLimit: 10_000 },
      channel: {
        ...hub.channel,
        withoutNamespace: {
          historySize,
          historyTtlMs: 60_000,
          forceRecovery: true,
          allowSubscribeForClient: true,
        },
      },
    },
  });
}
