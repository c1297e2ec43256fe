import { choice, duration, flag, integer, section, text } from '../option.ts';

export const engine = section('Broker and presence in one.', {
  type: choice(['memory', 'redis'], 'Where live state is kept.'),
});

export const broker = section(
  'Carries publications between nodes and keeps history, when not as `engine`.',
  {
    enabled: flag(false, 'Use this instead of `engine`.'),
    type: choice(['memory', 'redis', 'nats', 'postgres', 'redisnats'], 'Kind of broker.'),
  },
);

export const presenceManager = section('Keeps presence, when not as `engine`.', {
  enabled: flag(false, 'Use this instead of `engine`.'),
  type: choice(['memory', 'redis'], 'Kind of presence store.'),
});

export const mapBroker = section('Keeps the state of maps.', {
  type: choice(['memory', 'redis', 'postgres'], 'Kind of store.'),
});

export const node = section('This node.', {
  name: text('', 'Name of this node in the list of nodes. Empty: host name and port.'),
  info_metrics_aggregate_interval: duration(
    '60s',
    'Time that the counters in the list of nodes are added up over.',
    { minMs: 1_000 },
  ),
});

export const shutdown = section('How the process ends.', {
  timeout: duration('30s', 'Time for connections to end in order; what is left then is cut.'),
  drain_window: duration(
    '5s',
    'Connections are closed spread over this time where other nodes are there to take them, so that clients do not come back all at once; part of `timeout`. `0s`: all at once.',
    { own: true },
  ),
});

export const admission = section(
  'How many clients are connected at the same time. The others wait their turn, first come, first served, so that many that come back at once do not keep each other from it.',
  {
    concurrency: integer(
      256,
      'Clients that are being connected at the same time: their token, the connect hook, and the subscribing and recovering that came along. `0`: no limit.',
      { own: true },
    ),
    rate: integer(
      0,
      'Clients that begin to be connected per second, to spare a backend; the others wait. `0`: as many as the node can.',
      { own: true },
    ),
    queue_size: integer(
      10_000,
      'Clients that may wait. More are told to come back: connect is answered with error 111, new connections with 503 and `Retry-After`.',
      { own: true },
    ),
    queue_timeout: duration(
      '4s',
      'Longest wait; who would wait longer is told to come back. Less than the time after which clients give up, which is 5 s for stock ones.',
      { own: true },
    ),
  },
);

export const pidFile = text('', 'File that the process id is written to. Empty: none.');

export const dataDir = text(
  './data',
  'Folder of what this node keeps: the secrets made at the first start, and the store. Relative to the working directory.',
  { own: true },
);
