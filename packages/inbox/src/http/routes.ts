import { defined, HttpRefusal, routeFor, type Route } from '@holdfast/http';
import type { DeadLetterListOptions, DeadLetterSelection } from '../dead-letters.ts';
import { InboxError } from '../errors.ts';
import type { Inbox } from '../inbox.ts';
import { checkName } from '../notification.ts';
import type { ListOptions } from '../reader.ts';
import type { SendRequest } from '../sends.ts';
import * as schemas from './schemas.ts';
import { finishStream, readStreamedSend } from './streamed-send.ts';

interface InboxService {
  readonly inbox: Inbox;
  readonly maxRecipients: number;
  /** Whether users may subscribe to this topic by themselves. */
  readonly isOpenTopic: (topic: string) => boolean;
}

type InboxRoute = Route<InboxService>;
const route = routeFor<InboxService>();

const server = (method: InboxRoute['method'], path: string) =>
  ({ side: 'server', method, path }) as const;
const user = (method: InboxRoute['method'], path: string) =>
  ({ side: 'user', method, path: `/me${path}` }) as const;

/** A change of ids of which none is found is answered with 404, like any unknown thing. */
async function found<Result extends { readonly notFound: readonly string[] }>(
  change: Promise<Result>,
  ids: readonly string[],
  what = 'notification',
): Promise<Result> {
  const result = await change;
  if (new Set(ids).size > result.notFound.length) return result;
  throw new InboxError('inbox_not_found', `there is no such ${what}`);
}

type ChangeName = 'markRead' | 'markUnread' | 'archive' | 'unarchive' | 'delete';

function change(path: string, name: ChangeName, summary: string): InboxRoute {
  return route({
    ...user('POST', path),
    summary,
    body: schemas.idsRequest,
    result: schemas.changeResult,
    run: ({ inbox, user, body }) => found(inbox[name](user, body.ids), body.ids),
  });
}

const listRoute = (base: ReturnType<typeof server> | ReturnType<typeof user>, summary: string) =>
  route({
    ...base,
    summary,
    query: schemas.listQuery,
    result: schemas.page,
    run: ({ inbox, user, query }) => inbox.list(user, defined(query) as ListOptions),
  });

/** Every operation of the HTTP interface; the handler and the OpenAPI document are made of it. */
export const routes: readonly InboxRoute[] = [
  route({
    ...server('POST', '/send'),
    summary:
      'Send to a user, a list or a topic. As application/x-ndjson: the request without "to" on the first line, then one user id (a JSON string) on each',
    body: schemas.sendRequest,
    otherBody: {
      mediaType: 'application/x-ndjson',
      schema: schemas.streamedSendRequest,
      read: async (request, { maxRecipients }) =>
        (await readStreamedSend(request, maxRecipients)) as never,
    },
    result: schemas.sendResult,
    async run({ inbox, body }) {
      const request = defined(body) as SendRequest;
      try {
        return await inbox.send(request);
      } finally {
        await finishStream(request);
      }
    },
  }),
  route({
    ...server('POST', '/batch'),
    summary:
      'Send up to 100 requests together, each on its own; the results are in the order of the requests',
    body: schemas.batchRequest,
    result: schemas.batchResult,
    async run({ inbox, body, describeError }) {
      const results = body.sends.map(async (request): Promise<unknown> => {
        try {
          return await inbox.send(defined(request) as SendRequest);
        } catch (error) {
          return describeError(error);
        }
      });
      return { results: await Promise.all(results) };
    },
  }),
  route({
    ...server('GET', '/sends/{id}'),
    summary: 'How far a send is',
    result: schemas.sendStatus,
    run: ({ inbox, params }) => inbox.sendStatus(params.id ?? ''),
  }),
  route({
    ...server('POST', '/sends/{id}/cancel'),
    summary:
      'Stop a send; with "recall" take back what it has stored, as its status says from then on',
    body: schemas.cancelRequest,
    result: schemas.sendStatus,
    run: ({ inbox, params, body }) =>
      inbox.cancel(params.id ?? '', { recall: body.recall === true }),
  }),
  route({
    ...server('GET', '/notifications/{id}/delivery'),
    summary: 'Where a notification is, by device and escalation',
    result: schemas.deliveryState,
    run: ({ inbox, params }) => inbox.deliveryState(params.id ?? ''),
  }),
  route({
    ...server('GET', '/dead-letters'),
    summary: 'What webhook and e-mail did not take after the last attempt, newest first',
    query: schemas.deadLettersQuery,
    result: schemas.deadLetters,
    run: ({ inbox, query }) => inbox.deadLetters(defined(query) as DeadLetterListOptions),
  }),
  route({
    ...server('POST', '/dead-letters/retry'),
    summary:
      'Try dead letters again, by ids, or all, or of one target; up to 500, then on from nextCursor',
    body: schemas.retryRequest,
    result: schemas.retryResult,
    run: ({ inbox, body }) => {
      const retry = inbox.retryDeadLetters(defined(body) as DeadLetterSelection);
      return body.ids === undefined ? retry : found(retry, body.ids, 'dead letter');
    },
  }),
  listRoute(server('GET', '/users/{user}/notifications'), 'Notifications of a user, newest first'),
  route({
    ...server('GET', '/users/{user}/counts'),
    summary: 'Unread counts of a user',
    result: schemas.counts,
    run: ({ inbox, user }) => inbox.counts(user),
  }),
  route({
    ...server('GET', '/users/{user}/topics'),
    summary: 'Topics of a user',
    result: schemas.topics,
    run: async ({ inbox, user }) => ({ topics: await inbox.topics(user) }),
  }),
  route({
    ...server('PUT', '/users/{user}/topics/{topic}'),
    summary: 'Subscribe a user to a topic',
    result: schemas.settingResult,
    run: ({ inbox, user, params }) => inbox.subscribe(user, params.topic ?? ''),
  }),
  route({
    ...server('DELETE', '/users/{user}/topics/{topic}'),
    summary: 'Unsubscribe a user from a topic',
    result: schemas.settingResult,
    run: ({ inbox, user, params }) => inbox.unsubscribe(user, params.topic ?? ''),
  }),
  route({
    ...server('GET', '/topics/{topic}'),
    summary: 'Number of subscribers of a topic',
    result: schemas.topicInfo,
    run: async ({ inbox, params }) => ({
      topic: params.topic ?? '',
      subscribers: await inbox.countSubscribers(params.topic ?? ''),
    }),
  }),
  route({
    ...user('GET', ''),
    summary: 'First page, counts, and the channel position that continues them',
    query: schemas.snapshotQuery,
    result: schemas.snapshot,
    run: ({ inbox, user, query: { settings, ...query } }) =>
      inbox.snapshot(user, {
        ...(defined(query) as ListOptions),
        withSettings: settings === 'true',
      }),
  }),
  listRoute(user('GET', '/notifications'), 'Notifications, newest first'),
  route({
    ...user('GET', '/counts'),
    summary: 'Unread counts',
    result: schemas.counts,
    run: ({ inbox, user }) => inbox.counts(user),
  }),
  change('/read', 'markRead', 'Mark as read'),
  change('/unread', 'markUnread', 'Mark as unread'),
  change('/archive', 'archive', 'Take out of the list, keep in the archive'),
  change('/unarchive', 'unarchive', 'Put back into the list'),
  change('/delete', 'delete', 'Delete for ever'),
  route({
    ...user('POST', '/read-all'),
    summary: 'Mark everything as read, up to an id and of one category where given',
    body: schemas.readAllRequest,
    result: schemas.readAllResult,
    run: ({ inbox, user, body }) =>
      inbox.readAll(user, defined(body) as Parameters<Inbox['readAll']>[1]),
  }),
  route({
    ...user('POST', '/connect'),
    summary: 'Tell that a device is connected, and get what it has not acknowledged',
    body: schemas.connectRequest,
    result: schemas.connectResult,
    run: ({ inbox, user, body }) => inbox.connect(user, body.device),
  }),
  route({
    ...user('POST', '/acknowledge'),
    summary: 'Tell that a device has these notifications',
    body: schemas.acknowledgeRequest,
    result: schemas.acknowledgeResult,
    run: ({ inbox, user, body }) => inbox.acknowledge(user, body.device, body.ids),
  }),
  route({
    ...user('GET', '/preferences'),
    summary: 'What the user wants',
    result: schemas.preferences,
    run: ({ inbox, user }) => inbox.preferences(user),
  }),
  route({
    ...user('PUT', '/preferences'),
    summary: 'Replace what the user wants',
    body: schemas.preferences,
    result: schemas.preferences,
    run: ({ inbox, user, body }) =>
      inbox.setPreferences(user, body as Parameters<Inbox['setPreferences']>[1]),
  }),
  route({
    ...user('PATCH', '/preferences'),
    summary: 'Change some of what the user wants: what is left out stays, null takes a wish back',
    body: schemas.preferencesChange,
    result: schemas.preferencesResult,
    run: ({ inbox, user, body }) =>
      inbox.changePreferences(user, body as Parameters<Inbox['changePreferences']>[1]),
  }),
  route({
    ...user('GET', '/topics'),
    summary: 'Topics the user is subscribed to',
    result: schemas.topics,
    run: async ({ inbox, user }) => ({ topics: await inbox.topics(user) }),
  }),
  route({
    ...user('PUT', '/topics/{topic}'),
    summary: 'Subscribe to a topic that is open to users (`inbox.open_topics`)',
    result: schemas.settingResult,
    async run({ inbox, user, params, isOpenTopic }) {
      const topic = checkName('topic', params.topic ?? '');
      if (isOpenTopic(topic)) return inbox.subscribe(user, topic);
      throw new HttpRefusal(
        { status: 403, code: 'topic_not_open' },
        'users cannot subscribe to this topic by themselves: inbox.open_topics does not name it',
      );
    },
  }),
  route({
    ...user('DELETE', '/topics/{topic}'),
    summary: 'Unsubscribe from a topic',
    result: schemas.settingResult,
    run: ({ inbox, user, params }) => inbox.unsubscribe(user, params.topic ?? ''),
  }),
];
