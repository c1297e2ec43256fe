import type { Report } from '../report.ts';
import type { Config } from '../schema.ts';

/** Combinations of servers, ports and endpoints that cannot work. */
export function checkServer(config: Config, report: Report): void {
  const { http_server: server } = config;
  if (server.internal_address !== '' && server.internal_port === 0) {
    report.problem(['http_server', 'internal_address'], {
      problem: 'is set without http_server.internal_port',
      reason: 'without a port of their own the internal endpoints are served with the others',
      remedy: 'Set http_server.internal_port, or remove the address.',
    });
  }
  if (config.shutdown.timeout.ms === 0) {
    report.problem(['shutdown', 'timeout'], {
      problem: 'is 0s',
      reason: 'connections would be cut without being told',
      remedy: 'Set a time such as "30s".',
    });
  }
  checkAdmission(config, report);
  checkPaths(config, report);
}

/** The connect timeout of clients that nobody configured. */
const stockClientTimeoutMs = 5_000;

/** Waiting that could never end well. */
function checkAdmission({ admission }: Config, report: Report): void {
  if (admission.queue_size > 0 && admission.queue_timeout.ms <= 0) {
    report.problem(['admission', 'queue_timeout'], {
      problem: 'is 0s',
      reason: 'every client that has to wait would be refused at once',
      remedy: 'Set a time such as "4s", or admission.queue_size: 0 to have none wait.',
    });
  }
  if (admission.queue_timeout.ms >= stockClientTimeoutMs) {
    report.warning(
      ['admission', 'queue_timeout'],
      'Stock clients give up after 5s: those that wait longer are connected for nothing, and come again.',
    );
  }
}

/** No two endpoints on one path. */
function checkPaths(config: Config, report: Report): void {
  const endpoints = [
    ['websocket', !config.websocket.disabled],
    ['http_stream', config.http_stream.enabled],
    ['sse', config.sse.enabled],
    ['polling', config.polling.enabled],
    ['emulation', config.http_stream.enabled || config.sse.enabled],
    ['uni_websocket', config.uni_websocket.enabled],
    ['uni_http_stream', config.uni_http_stream.enabled],
    ['uni_sse', config.uni_sse.enabled],
    ['init', config.init.enabled],
    ['http_api', !config.http_api.disabled],
    ['prometheus', config.prometheus.enabled],
    ['health', config.health.enabled],
    ['swagger', config.swagger.enabled],
  ] as const;
  const taken = new Map<string, string>();
  for (const [name, isServed] of endpoints) {
    if (!isServed) continue;
    const prefix = config[name].handler_prefix;
    const other = taken.get(prefix);
    if (other !== undefined) {
      report.problem([name, 'handler_prefix'], {
        problem: `is ${JSON.stringify(prefix)}, as ${other}.handler_prefix is`,
        reason: 'only one of the two could be reached',
        remedy: 'Give one of them another path.',
      });
    }
    taken.set(prefix, name);
  }
  checkFeaturePaths(config, report);
}

/** Features answer everything below their paths. */
function checkFeaturePaths({ store, inbox, tasks }: Config, report: Report): void {
  if (!store.enabled) return;
  const paths = [
    { option: ['inbox', 'handler_prefix'], path: inbox.handler_prefix, isServed: inbox.enabled },
    { option: ['tasks', 'handler_prefix'], path: tasks.handler_prefix, isServed: tasks.enabled },
    {
      option: ['tasks', 'worker_handler_prefix'],
      path: tasks.worker_handler_prefix,
      isServed: tasks.enabled,
    },
  ].filter(({ isServed }) => isServed);
  for (const [index, { option, path }] of paths.entries()) {
    if (path === '' || path === '/') {
      report.problem(option, {
        problem: path === '' ? 'is empty' : 'is "/"',
        reason: 'it would answer for every path of the server',
        remedy: 'Set a path such as "/api/inbox", or remove the option for the default.',
      });
      continue;
    }
    const other = paths.find(
      (candidate, place) =>
        (candidate.path === path ? place < index : place !== index) &&
        candidate.path !== '' &&
        `${path}/`.startsWith(`${candidate.path}/`),
    );
    if (other === undefined) continue;
    report.problem(option, {
      problem: `is ${JSON.stringify(path)}, which is at or below ${other.option.join('.')}`,
      reason: 'only one of the two could be reached',
      remedy: 'Give one of them another path.',
    });
  }
}
