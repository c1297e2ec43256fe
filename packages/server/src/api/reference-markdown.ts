import { inboxOpenApi } from '@holdfast/inbox';
import { errorCodes } from '@holdfast/protocol';
import { tasksOpenApi } from '@holdfast/tasks';
import { toApiReference, type ReferenceMember, type ReferenceOperation } from './api-reference.ts';
import { createOpenApiDocument } from './open-api.ts';

const introduction = `# HTTP API

Your backend publishes, reads presence and history, and manages connections over HTTP. Methods, requests and answers are Centrifugo's, so its API clients work unchanged.

This page is made from the same schemas that check requests and that make \`/openapi.json\` (OpenAPI 3.1, served and browsable at \`/swagger\` with \`swagger.enabled\`).

## Calling it

Each method is a POST of one JSON object to \`/api/<method>\`:

\`\`\`sh
curl http://localhost:8000/api/publish \\
  -H "X-API-Key: $KEY" \\
  -d '{"channel": "news", "data": {"text": "hello"}}'
\`\`\`

\`\`\`json
{ "result": { "offset": 1, "epoch": "ZPMoJPMz" } }
\`\`\`

**The key** is \`http_api.key\` of the configuration; without one it was made at the first start and stands in \`secrets.json\` of the data folder. Send it as \`X-API-Key: KEY\`, or as \`Authorization: apikey KEY\`, or, where headers cannot be set, as \`?api_key=KEY\` (addresses end up in logs of proxies). A missing or wrong key is answered with HTTP 401, before the body is read. Whoever has the key may do everything: the permissions of clients do not apply.

**Data** travels as it is written. It is cut out of the request as text and never parsed into numbers, so \`12345678901234567890\` and \`1.10\` arrive as they were sent. Binary data goes as base64 in \`b64data\`; where an answer would hold data that is no JSON, it has \`b64data\` (\`b64conn_info\`, \`b64chan_info\`) in its place.

**Size.** A publication has at most half as many bytes as may wait for a client (\`client.queue_max_size\`), 512 KiB by default. A longer one is refused with error 106: every subscriber would be cut for it.

**Unknown members** of a request are ignored, and members that are \`null\` count as absent (data may be \`null\`). The content type is not looked at. Compressed bodies are refused (415), and bodies longer than \`http_api.max_body_size\` too (413).

**Repeating** a publish is safe with an \`idempotency_key\`: for five minutes the same key in the same channel changes nothing and gets the first answer again.

## Errors

Expected errors come with HTTP 200, in the body:

\`\`\`json
{ "error": { "code": 102, "message": "unknown channel" } }
\`\`\`

\`"temporary": true\` is there when trying the same again later can help. With the header \`X-Centrifugo-Error-Mode: transport\`, or with \`http_api.error_mode: transport\`, the HTTP status tells the error and the body is the bare error object: 102 and 104 are 404, 107 and 108 are 400, 111 is 429, 112 is 416, 113 is 409, the rest 500. Inside the answers of \`batch\` and \`broadcast\` errors stay where they are.

Requests that reach no method have HTTP statuses in any case: 400 (the body is not JSON), 401, 404 (no such method), 405 (not a POST), 408 (too slow), 413, 415. Their body has the same shape.

`;

const features = `## Notifications and tasks

These stand beside the methods while the server has a [store](store.md). They are plain HTTP: the status says how it went, bodies are \`application/json\`, and errors are \`{"error": {"code", "message", "retryable"}}\`. Backends send the API key, users their own token (\`Authorization: Bearer TOKEN\`, as for a connection) to what is below \`/me\`, where they reach nothing but their own. Pages of \`client.allowed_origins\` may use that. What each call takes and gives is in \`/openapi.json\`; what it means, in [notifications](inbox.md) and [tasks](tasks.md).

\`\`\`sh
curl http://localhost:8000/api/inbox/send \\
  -H "X-API-Key: $KEY" -H "Content-Type: application/json" \\
  -d '{"to": {"user": "42"}, "category": "orders", "title": "Your order has left"}'
\`\`\`

`;

const featureTags = [
  ['inbox', 'Notifications, for backends'],
  ['inbox of the user', 'Notifications, for their user'],
  ['tasks', 'Tasks, for backends'],
  ['tasks of the user', 'Tasks, for their owner'],
] as const;

const old = `## The old endpoint

\`POST /api\` takes newline-delimited commands \`{"id", "method", "params"}\` and answers with one reply \`{"id", "result"}\` or \`{"id", "error"}\` per line, for clients that were written for old versions of Centrifugo. A body with a malformed line is refused as a whole.

## Differences from Centrifugo

- \`exclude_client\` of \`publish\` and \`broadcast\` is our own.
- Errors say which member is wrong (\`bad request: channel: must not be empty\`); a member of the wrong type is error 107 and not HTTP 400.
- \`metrics\` of \`info\` have our [names](metrics.md), those with labels added up, and are there once the first interval (\`node.info_metrics_aggregate_interval\`) is over.
- A batch takes at most 10,000 commands, and runs 64 at a time with \`parallel\`.
- A method that takes longer than ten seconds is answered with error 100.
`;

/** The page \`docs/http-api.md\` of the handbook. */
export function apiReferenceMarkdown(): string {
  const { operations } = toApiReference(
    createOpenApiDocument('/api', [inboxOpenApi('/api/inbox'), tasksOpenApi('/api/tasks')]),
  );
  const codes = Object.values(errorCodes).map(
    ({ code, message, temporary }) => `| ${code} | ${message} | ${temporary ? 'yes' : 'no'} |`,
  );
  return [
    introduction,
    '| Code | Message | Temporary |\n| --- | --- | --- |\n',
    `${codes.join('\n')}\n\n`,
    'Codes from 400 to 1999 belong to applications.\n\n## Methods\n\n',
    ...operations.filter(({ tag }) => tag === 'API').map(renderOperation),
    features,
    ...featureTags.map(([tag, title]) =>
      renderFeature(
        title,
        operations.filter((operation) => operation.tag === tag),
      ),
    ),
    old,
  ].join('');
}

function renderOperation({ id, summary, request = [], result = [] }: ReferenceOperation): string {
  return `### ${id}\n\n${summary}.\n\n${renderMembers('Request', request)}${renderMembers('Result', result)}`;
}

function renderFeature(title: string, operations: readonly ReferenceOperation[]): string {
  const rows = operations.map(({ verb, path, summary }) => `| \`${verb} ${path}\` | ${summary} |`);
  return `### ${title}\n\n| Call | Does |\n| --- | --- |\n${rows.join('\n')}\n\n`;
}

function renderMembers(title: string, members: readonly ReferenceMember[]): string {
  if (members.length === 0) return `${title}: no members.\n\n`;
  const rows = members.map(({ name, type, isRequired, description }) => {
    const meaning =
      isRequired && title === 'Request'
        ? [description, 'required'].filter(Boolean).join('; ')
        : description;
    return `| \`${name}\` | ${type} | ${meaning} |`;
  });
  return `| ${title} | Type | Meaning |\n| --- | --- | --- |\n${rows.join('\n')}\n\n`;
}
