import { choice, section, text } from '../option.ts';

export const log = section('Logging.', {
  level: choice(
    ['none', 'trace', 'debug', 'info', 'warn', 'error', 'fatal'],
    'Least level that is written.',
    {
      defaultValue: 'info',
    },
  ),
  file: text('', 'File to append the log to. Empty: standard output.'),
});
