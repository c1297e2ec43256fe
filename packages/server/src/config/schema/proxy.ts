import {
  duration,
  flag,
  integer,
  secretMap,
  section,
  sectionList,
  text,
  textList,
} from '../option.ts';

const httpShape = {
  static_headers: secretMap(
    'Headers sent with every request. `${HOLDFAST_VAR_NAME}` in a value is replaced by that environment variable.',
  ),
  status_to_code_transforms: sectionList('Answers for HTTP statuses other than 200.', {
    status_code: integer(0, 'The HTTP status.', { max: 599 }),
    to_error: section('Answer with this error.', {
      code: integer(0, 'Error code; `0`: no error.', { max: 1_999 }),
      message: text('', 'Message, ASCII, 123 bytes at most.'),
      temporary: flag(false, 'The client may try again.'),
    }),
    to_disconnect: section('End the connection.', {
      code: integer(0, 'Disconnect code; `0`: no disconnect.', { max: 4_999 }),
      reason: text('', 'Reason, ASCII, 123 bytes at most.'),
    }),
  }),
};

/** Options of one backend hook. */
const proxyShape = {
  endpoint: text('', 'URL of the backend that is asked, `http://` or `https://`.'),
  timeout: duration('1s', 'Time that the backend has to answer.'),
  http_headers: textList("Names of headers of the client's request that are passed on."),
  emulated_headers: textList(
    'Names of headers that the client gave in its connect command, passed on as if they were HTTP headers.',
  ),
  binary_encoding: flag(false, 'Send and expect payloads in base64 (`b64data`, `b64info`).'),
  include_connection_meta: flag(false, "Send the connection's `meta` along."),
  http: section('Details of the HTTP requests.', httpShape),
};

export const connectProxy = section('Asks the backend who a client without token is.', {
  enabled: flag(false, 'Ask the backend.'),
  ...proxyShape,
});

export const refreshProxy = section('Asks the backend whether an expiring connection may go on.', {
  enabled: flag(false, 'Ask the backend.'),
  ...proxyShape,
});

/** A hook that namespaces switch on, called `default` there. */
export function defaultProxy(what: string): ReturnType<typeof section<typeof proxyShape>> {
  return section(`The hook named \`default\` for ${what}.`, proxyShape);
}

export const proxies = sectionList('Hooks with names, for namespaces to choose from.', {
  name: text('', 'Name that namespaces refer to.'),
  ...proxyShape,
});
