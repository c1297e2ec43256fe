// @ts-check
/** The code on the welcome page that people copy. */

/**
 * @typedef {object} SnippetContext
 * @property {string} apiUrl
 * @property {string | undefined} apiKey absent when the API needs none
 * @property {string} websocketUrl
 * @property {string} channel
 * @property {string | undefined} token absent when this server cannot make one
 */

/**
 * A word for a POSIX shell, whatever is in it.
 * @param {string} text
 */
function shellWord(text) {
  return `'${text.replaceAll("'", String.raw`'\''`)}'`;
}

/** @param {SnippetContext} context */
function curl({ apiUrl, apiKey, channel }) {
  const lines = [
    `curl ${apiUrl}/publish`,
    ...(apiKey === undefined ? [] : [`-H ${shellWord(`X-API-Key: ${apiKey}`)}`]),
    `-d ${shellWord(JSON.stringify({ channel, data: { text: 'hello from curl' } }))}`,
  ];
  return {
    code: lines.join(' \\\n  '),
    note: 'Run it in another terminal: the message arrives here.',
  };
}

/** @param {SnippetContext} context */
function subscriber({ websocketUrl, channel, token }) {
  return `import { Centrifuge } from 'centrifuge';

const client = new Centrifuge(${JSON.stringify(websocketUrl)}, {
  token: ${JSON.stringify(token ?? 'TOKEN')},
});

const subscription = client.newSubscription(${JSON.stringify(channel)});
subscription.on('publication', ({ data, offset }) => {
  console.log(offset, data);
});
subscription.subscribe();

client.connect();`;
}

/** @param {SnippetContext} context */
function tokenNote({ token }) {
  return token === undefined
    ? 'Your backend makes the token.'
    : 'This token is for trying it out: it opens connections for the user "visitor" during one hour. Later your backend makes one for each user.';
}

/** @type {Readonly<Record<'curl' | 'browser' | 'node', (context: SnippetContext) => { code: string, note: string }>>} */
export const snippets = {
  curl,
  browser: (context) => ({
    code: subscriber(context),
    note: `npm install centrifuge. ${tokenNote(context)} The origin of your page must be in client.allowed_origins.`,
  }),
  node: (context) => ({
    code: subscriber(context),
    note: `npm install centrifuge, then node subscriber.mjs (Node 22 or newer). ${tokenNote(context)}`,
  }),
};
