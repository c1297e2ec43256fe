import {
  type ClientInfo,
  type Publication,
  type ReplyError,
  replyErrors,
} from '@holdfast/protocol';
import type { PublishOptions } from './hub.ts';
import type { HubContext } from './hub-context.ts';
import { parseJson } from './json-bytes.ts';
import { payloadProblem } from './message-budget.ts';
import type { ChannelRules } from './namespaces.ts';
import { contractProblem } from './publication-contract.ts';
import type { BrokerPublishResult } from './ports/broker.ts';

export interface PublishInput extends PublishOptions {
  readonly channel: string;
  readonly rules: ChannelRules;
  readonly data: Uint8Array;
  /** The publishing client; absent when the server publishes. */
  readonly info?: ClientInfo;
}

/** Publishes on behalf of a client or of the server; everyone's publications go this way. */
export async function publishToChannel(
  hub: HubContext,
  input: PublishInput,
): Promise<BrokerPublishResult | ReplyError> {
  const { channel, rules, data, info, tags } = input;
  if (rules.options.subscriptionType !== 'stream') return replyErrors.badRequest;
  const tooLarge = payloadProblem(data, hub.options);
  if (tooLarge !== undefined) return tooLarge;
  if (!isAcceptable(data, rules.options.publicationDataFormat)) return replyErrors.badRequest;
  const problem = await contractProblem(hub.contract, channel, data);
  if (problem !== undefined) return problem;
  const publication: Publication = {
    data,
    time: hub.clock.now(),
    ...(info === undefined ? {} : { info }),
    ...(tags === undefined || Object.keys(tags).length === 0 ? {} : { tags }),
    ...(input.version === undefined ? {} : { version: input.version }),
  };
  const { historySize, historyTtlMs } = rules.options;
  const keepsHistory = rules.hasHistory && input.skipHistory !== true;
  const result = await hub.broker.publish(channel, publication, {
    historySize: keepsHistory ? historySize : 0,
    historyTtlMs: keepsHistory ? historyTtlMs : 0,
    historyMetaTtlMs: rules.historyMetaTtlMs,
    ...(input.idempotencyKey === undefined ? {} : { idempotencyKey: input.idempotencyKey }),
    ...(input.version === undefined ? {} : { version: input.version }),
    ...(input.versionEpoch === undefined ? {} : { versionEpoch: input.versionEpoch }),
    ...(input.excludeClient === undefined ? {} : { excludeClient: input.excludeClient }),
    ...(input.delta === true || rules.options.deltaPublish ? { withPrevious: true } : {}),
  });
  if (result.suppressed === undefined) {
    hub.metrics.publicationsAccepted += 1;
    hub.notify('published', { channel, publication, ...(info === undefined ? {} : { info }) });
  }
  return result;
}

/** Without a declared format anything but nothing is accepted, as Centrifugo does. */
function isAcceptable(
  data: Uint8Array,
  format: ChannelRules['options']['publicationDataFormat'],
): boolean {
  switch (format) {
    case 'binary':
      return true;
    case '':
      return data.length > 0;
    case 'json':
      return parseJson(data) !== undefined;
    case 'json_object': {
      const value = parseJson(data);
      return typeof value === 'object' && value !== null && !Array.isArray(value);
    }
  }
}
