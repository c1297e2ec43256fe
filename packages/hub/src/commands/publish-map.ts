import { type Command, disconnects, type PublishRequest, replyErrors } from '@holdfast/protocol';
import { isChannelKey } from '../channel-key.ts';
import type { PublishGrant } from '../events.ts';
import type { ChannelRules } from '../namespaces.ts';
import { mayChangeMap } from '../permissions.ts';
import { contractProblem } from '../publication-contract.ts';
import { isRefusal, type Refusal } from '../refusal.ts';
import type { Session } from '../session.ts';

/** Values of {@link PublishRequest.type}. */
export const publishTypes = { stream: 0, map: 1 } as const;

/** A client writes or removes a key of a map channel. */
export async function publishMap(
  session: Session,
  command: Command,
  rules: ChannelRules,
): Promise<Refusal | undefined> {
  const request = command.publish ?? {};
  const { channel = '', data = new Uint8Array(0), removed = false } = request;
  const key = keyOf(session, request, rules);
  if (!isChannelKey(key)) return replyErrors.badRequest;
  if (!removed && data.length === 0) return replyErrors.badRequest;
  const grant = await authorise(session, { ...request, channel, data, key, removed }, rules);
  if (isRefusal(grant)) return grant;
  const { mapBroker, contract } = session.hub;
  const { retention, options } = rules;
  if (removed) {
    await mapBroker.remove(channel, key, { retention });
  } else {
    const info = session.subscriptions.get(channel)?.clientInfo ?? session.clientInfo;
    const { tags, idempotencyKey, version, versionEpoch } = grant;
    const value = grant.data ?? data;
    const problem = await contractProblem(contract, channel, value);
    if (problem !== undefined) return problem;
    await mapBroker.publish(
      channel,
      { key, data: value, info, ...(tags === undefined ? {} : { tags }) },
      {
        retention,
        withPrevious: options.deltaPublish || grant.delta === true,
        ...(idempotencyKey === undefined ? {} : { idempotencyKey }),
        ...(version === undefined ? {} : { version }),
        ...(versionEpoch === undefined ? {} : { versionEpoch }),
      },
    );
  }
  session.reply({ id: command.id ?? 0, publish: {} });
  return undefined;
}

function keyOf(session: Session, { key = '' }: PublishRequest, { options }: ChannelRules): string {
  switch (options.map.clientKey) {
    case 'client_id':
      return session.id;
    case 'user_id':
      return session.user;
    case '':
      return key;
  }
}

async function authorise(
  session: Session,
  change: {
    readonly channel: string;
    readonly data: Uint8Array;
    readonly key: string;
    readonly removed: boolean;
  },
  { namespace, options }: ChannelRules,
): Promise<PublishGrant | Refusal> {
  const { hub, connection, signal } = session;
  if (connection === undefined) return disconnects.badRequest;
  const { channel, data, key, removed } = change;
  if (hub.isAsked('publishing')) {
    const event = { connection, channel, namespace, options, data, key, removed, signal };
    const grant = await hub.ask('publishing', event);
    if (grant !== undefined) return grant;
  }
  const operation = removed ? 'Remove' : 'Publish';
  const isAllowed = mayChangeMap(session, operation, { channel, options });
  return isAllowed ? {} : replyErrors.permissionDenied;
}
