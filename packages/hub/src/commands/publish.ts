import { type Command, disconnects, replyErrors } from '@holdfast/protocol';
import { publishToChannel } from '../channel-publisher.ts';
import type { PublishGrant } from '../events.ts';
import type { ChannelRules } from '../namespaces.ts';
import { mayOperate } from '../permissions.ts';
import { isRefusal, type Refusal } from '../refusal.ts';
import type { Session } from '../session.ts';
import { publishMap, publishTypes } from './publish-map.ts';

export async function publish(session: Session, command: Command): Promise<Refusal | undefined> {
  const { channel = '', data = new Uint8Array(0), type = 0 } = command.publish ?? {};
  if (channel === '') return disconnects.badRequest;
  const rules = session.hub.namespaces.resolve(channel);
  if (isRefusal(rules)) return rules;
  if ((type === publishTypes.map) !== rules.isMap) return replyErrors.badRequest;
  if (rules.isMap) return publishMap(session, command, rules);
  const grant = await authorise(session, { channel, data, rules });
  if (isRefusal(grant)) return grant;
  const info = session.subscriptions.get(channel)?.clientInfo ?? session.clientInfo;
  const result = await publishToChannel(session.hub, { data, ...grant, channel, rules, info });
  if (isRefusal(result)) return result;
  session.reply({ id: command.id ?? 0, publish: {} });
  return undefined;
}

/** The application decides first, then the rules of the namespace. */
async function authorise(
  session: Session,
  { channel, data, rules }: { channel: string; data: Uint8Array; rules: ChannelRules },
): Promise<PublishGrant | Refusal> {
  const { hub, connection } = session;
  if (connection === undefined) return disconnects.badRequest;
  const { namespace, options } = rules;
  if (hub.isAsked('publishing')) {
    const { signal } = session;
    const event = { connection, channel, namespace, options, data, signal };
    const grant = await hub.ask('publishing', event);
    if (grant !== undefined) return grant;
  }
  return mayOperate(session, 'Publish', { channel, options }) ? {} : replyErrors.permissionDenied;
}
