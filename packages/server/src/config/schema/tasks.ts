import {
  choice,
  duration,
  flag,
  integer,
  secret,
  section,
  sectionList,
  text,
  textList,
} from '../option.ts';
import { pathPrefix } from './path-prefix.ts';

const own = { own: true } as const;

export const tasks = section(
  'Tasks, their workers and schedules. Needs the store. See docs/tasks.md.',
  {
    enabled: flag(true, 'Keep tasks.', own),
    handler_prefix: pathPrefix(
      '/api/tasks',
      'their HTTP endpoints; those for users are in `/me`',
      own,
    ),
    worker_handler_prefix: pathPrefix('/api/worker', 'the HTTP endpoints of workers', own),
    worker_token: secret(
      'Token that workers send (`Authorization: Bearer`). They can send the API key instead, which can do much more.',
      own,
    ),
    admins: textList(
      "Ids of users who may read, cancel and delete everybody's tasks with their own token.",
      own,
    ),
    max_output_readers: integer(200, 'Most readers that follow output over HTTP at a time.', own),
    task_namespace: text(
      'task',
      'Namespace of the channels of single tasks, `task:<id>#42` for one of the user 42. It need not be configured; one of `channel.namespaces` with this name takes its place.',
      own,
    ),
    user_namespace: text(
      'tasks',
      'Namespace of the channels with the tasks of a user, `tasks:#42` for the user 42. As `task_namespace`.',
      own,
    ),
    sweep_interval: duration('1s', 'How often leases that ran out are looked for.', {
      ...own,
      minMs: 50,
    }),
    poll_interval: duration('500ms', 'How often workers look for tasks that another server took.', {
      ...own,
      minMs: 50,
    }),
    stop_grace: duration('10s', 'How long handlers in this process may take to stop.', own),
    retention: section('How long ended tasks are kept.', {
      max_age: duration('168h', 'Older ones are removed.', own),
      max_ended: integer(1_000_000, 'Most ended tasks; the oldest are removed.', own),
    }),
    kinds: sectionList('Kinds of tasks. Tasks of a kind that is not listed are refused.', {
      name: text('', 'Name of the kind: letters, digits, "_", ".", ":" and "-".', own),
      lease: duration('30s', 'A worker that is silent for so long has lost the task.', {
        ...own,
        minMs: 1000,
      }),
      heartbeat: duration(
        '0s',
        'How often a worker says that it is alive. `0`: a third of `lease`.',
        own,
      ),
      max_runtime: duration('24h', 'Longest attempt, however alive its worker.', {
        ...own,
        minMs: 1000,
      }),
      pending_deadline: duration('24h', 'Longest wait for a worker; then the task fails.', {
        ...own,
        minMs: 1000,
      }),
      cancel_grace: duration(
        '10s',
        'How long a cancelled attempt may take to stop before it is cut off.',
        own,
      ),
      attempts: integer(3, 'Attempts of one task.', { ...own, min: 1, max: 1_000 }),
      backoff_min: duration(
        '1s',
        'Longest random pause before the second attempt; doubled each time.',
        own,
      ),
      backoff_max: duration('5m', 'Longest pause of all.', own),
      key: text(
        '',
        'Requests with the same key share work: one task runs, one more may wait. `{user}` and `{payload.account}` in it are replaced; a request that lacks what is asked for shares nothing. Empty: none.',
        own,
      ),
      merge: choice(
        ['newer', 'window'],
        'What a request that joins a waiting task leaves of the two payloads: the newer one, or that one with both windows united (`{"window": {"from", "to"}}`).',
        own,
      ),
      allow_request_for_user: flag(
        false,
        'Users may ask for it themselves, with their own token. Such tasks share work only with those of the same user.',
        own,
      ),
      max_live_per_user: integer(
        100,
        'Most tasks that a user has asked for and that are not over. For `allow_request_for_user`.',
        { ...own, min: 1 },
      ),
      max_running: integer(0, 'Most that run at a time. `0`: no limit.', own),
      max_running_per_user: integer(0, 'Most of one user that run at a time. `0`: no limit.', own),
      max_running_per_lane: integer(
        0,
        'Most of those with the same `lane` that run at a time. `0`: no limit.',
        own,
      ),
      max_payload_size: integer(16_384, 'Longest payload in bytes.', { ...own, min: 2 }),
      max_result_size: integer(16_384, 'Longest result in bytes.', { ...own, min: 2 }),
      max_output_size: integer(
        1_048_576,
        'Longest output of a task in bytes; what does not fit is refused and counted.',
        { ...own, min: 1 },
      ),
    }),
    schedules: sectionList(
      'Tasks that are asked for again and again. What people change while the server runs wins over what stands here.',
      {
        name: text('', 'Name of the schedule.', own),
        kind: text('', 'Kind of its tasks, one of `tasks.kinds`.', own),
        payload: text('', 'Payload as JSON. Empty: `null`.', own),
        cron: text('', 'When: five or six fields, such as `30 2 * * *`. Or `every`.', own),
        every: duration('0s', 'How often, in whole seconds. Or `cron`.', own),
        time_zone: text('UTC', 'Time zone of `cron`, such as `Europe/Berlin`.', own),
        jitter: duration('0s', 'Each starts up to so much later, at random.', own),
        overlap: choice(
          ['skip', 'queue', 'allow'],
          'While the one before is not over: none, one that waits for it, or both at a time.',
          own,
        ),
        missed: choice(
          ['once', 'skip'],
          'After a time without any server: one for all that were missed, or none.',
          own,
        ),
        grace: duration('1m', 'So late it is not missed yet.', own),
        enabled: flag(true, 'Off: it is listed as paused, and can be resumed.', own),
      },
    ),
  },
);
