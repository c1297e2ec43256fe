import { choice, duration, flag, section, text } from '../option.ts';

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
});

export const shutdown = section('How the process ends.', {
  timeout: duration('30s', 'Time for connections to end in order; what is left then is cut.'),
});

export const pidFile = text('', 'File that the process id is written to. Empty: none.');

export const dataDir = text(
  './data',
  'Folder of what this node keeps: the secrets made at the first start, and the store. Relative to the working directory.',
  { own: true },
);
