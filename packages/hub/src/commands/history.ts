import { type Command, disconnects, replyErrors } from '@holdfast/protocol';
import { countWithin, messageBudget } from '../message-budget.ts';
import { wirePublication } from '../message-encoder.ts';
import { mayOperate } from '../permissions.ts';
import { readHistory } from '../read-history.ts';
import { isRefusal, type Refusal } from '../refusal.ts';
import type { Session } from '../session.ts';

export async function history(session: Session, command: Command): Promise<Refusal | undefined> {
  const { channel = '', limit = 0, since, reverse = false } = command.history ?? {};
  if (channel === '') return disconnects.badRequest;
  const { hub } = session;
  const rules = hub.namespaces.resolve(channel);
  if (isRefusal(rules)) return rules;
  if (!rules.hasHistory) return replyErrors.notAvailable;
  if (!mayOperate(session, 'History', { channel, options: rules.options })) {
    return replyErrors.permissionDenied;
  }
  const most = hub.options.historyMaxPublicationLimit;
  const page = await readHistory(hub.broker, channel, {
    rules,
    limit: most > 0 && (limit < 0 || limit > most) ? most : limit,
    reverse,
    ...(since === undefined
      ? {}
      : { since: { offset: since.offset ?? 0, epoch: since.epoch ?? '' } }),
  });
  if (isRefusal(page)) return page;
  // A shorter page than was asked for: the client reads on from its last publication.
  const fitting = countWithin(page.publications, messageBudget(hub.options));
  session.reply({
    id: command.id ?? 0,
    history: {
      publications: page.publications.slice(0, fitting).map(wirePublication),
      epoch: page.position.epoch,
      offset: page.position.offset,
    },
  });
  return undefined;
}
