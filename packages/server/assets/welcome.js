// @ts-check
/**
 * The welcome page: a live client of this server, made with the ordinary browser client. Whatever
 * came from a channel is written with `textContent`, never as markup.
 */

import { snippets } from './snippets.js';

/** @typedef {import('centrifuge').Centrifuge} Client */
/** @typedef {import('centrifuge').Subscription} Subscription */
/**
 * What `GET /admin/session` answers to somebody who is signed in.
 * @typedef {object} Session
 * @property {true} signed_in
 * @property {string} version
 * @property {string} user
 * @property {string} websocket_path
 * @property {string} api_prefix
 * @property {boolean} api_key_needed
 * @property {string} api_key_place
 * @property {boolean} can_make_tokens
 * @property {string} [reference_path]
 */

const maxMessages = 200;
const presenceIntervalMs = 5_000;
const channelStorageKey = 'holdfast.channel';

/**
 * @template {HTMLElement} Type
 * @param {string} id
 * @param {new () => Type} type
 */
function find(id, type) {
  const found = document.getElementById(id);
  if (!(found instanceof type)) throw new Error(`the page has no ${type.name} ${id}`);
  return found;
}

/** @param {string} id */
const element = (id) => find(id, HTMLElement);

/**
 * Calls an async handler; what it throws is shown where people look for the connection.
 * @param {string} id
 * @param {'click' | 'submit'} type
 * @param {() => Promise<void>} handler
 */
function on(id, type, handler) {
  element(id).addEventListener(type, (event) => {
    event.preventDefault();
    handler().catch((/** @type {unknown} */ error) => addEvent(String(error)));
  });
}

/**
 * @param {string} id
 * @param {string} [text] empty or absent hides the element
 */
function show(id, text) {
  const target = element(id);
  target.textContent = text ?? '';
  target.hidden = !text;
}

/**
 * @param {'GET' | 'POST'} method
 * @param {string} path
 * @param {string} [body] JSON
 */
function request(method, path, body) {
  return fetch(path, {
    method,
    ...(body !== undefined && { body, headers: { 'Content-Type': 'application/json' } }),
  });
}

/**
 * Runs a method of the server API with this page's session.
 * @param {string} method
 * @param {string} params JSON, as text so that numbers stay as they were typed
 * @returns {Promise<{ result?: any, error?: { code: number, message: string } }>}
 */
async function callApi(method, params) {
  const response = await request('POST', `admin/api/${method}`, params);
  if (response.status === 401) {
    location.reload();
    return { error: { code: 101, message: 'signed out' } };
  }
  return response.json();
}

// Signing in

/** @returns {Promise<Session | { signed_in: false, password: boolean }>} */
async function fetchSession() {
  const response = await request('GET', 'admin/session');
  return response.json();
}

/**
 * @param {boolean} hasPassword
 * @param {string} [error]
 */
function showSignedOut(hasPassword, error) {
  element('signed-in').hidden = true;
  element('signed-out').hidden = false;
  element('password-form').hidden = !hasPassword;
  show('sign-in-error', error);
}

/** @param {{ code: string } | { password: string }} secret */
async function signIn(secret) {
  const response = await request('POST', 'admin/sign-in', JSON.stringify(secret));
  if (response.ok) return undefined;
  const { error } = await response.json();
  return String(error.message);
}

on('password-form', 'submit', async () => {
  const error = await signIn({ password: find('password', HTMLInputElement).value });
  await start(error);
});

on('sign-out', 'click', async () => {
  await request('POST', 'admin/sign-out');
  location.reload();
});

// Live part

/** @type {Client} */
let client;
/** @type {Subscription | undefined} */
let subscription;
/** Set while the publications that a reconnect recovered are being handed over. */
let isRecovering = false;
let wasConnected = false;
let failures = 0;
let epoch = '';

/** @param {string} id @param {string} state */
function showState(id, state) {
  const target = element(id);
  target.dataset['state'] = state;
  target.textContent = state;
}

/** @param {Session} session */
function connect(session) {
  const scheme = location.protocol === 'https:' ? 'wss:' : 'ws:';
  client = new globalThis.Centrifuge(`${scheme}//${location.host}${session.websocket_path}`, {
    name: 'welcome',
    getData: async () => {
      const response = await request('POST', 'admin/connection-ticket');
      if (response.status === 401) location.reload();
      const { ticket } = await response.json();
      return { holdfast_admin: ticket };
    },
  });
  client.on('state', ({ newState }) => showState('connection-state', newState));
  client.on('error', ({ error }) => {
    failures += 1;
    // Browsers do not say why a WebSocket cannot be opened; this is why it usually is.
    const hint = `If this goes on: is ${location.origin} in client.allowed_origins of the server?`;
    if (failures > 2) show('connection-error', `${error.message}. ${hint}`);
  });
  client.on('connected', (context) => {
    failures = 0;
    show('connection-error');
    element('transport').textContent = context.transport;
    element('client').textContent = context.client;
    wasConnected = true;
  });
  client.on('connecting', ({ code, reason }) => {
    if (wasConnected) addEvent(`connection lost: ${reason} (${code}), reconnecting`);
  });
  client.on('disconnected', ({ code, reason }) => {
    addEvent(`disconnected: ${reason} (${code})`);
  });
  client.connect();
}

/** @param {string} channel */
function watch(channel) {
  subscription?.removeAllListeners();
  if (subscription) client.removeSubscription(subscription);
  subscription = client.newSubscription(channel);
  localStorage.setItem(channelStorageKey, channel);
  show('subscription-error');
  clearMessages();
  subscription.on('state', ({ newState }) => showState('subscription-state', newState));
  subscription.on('subscribed', (context) => {
    show('subscription-error');
    const { streamPosition } = context;
    epoch = streamPosition?.epoch ?? '';
    showPosition(streamPosition?.offset);
    if (context.wasRecovering) {
      element('recovery').textContent = context.recovered
        ? 'recovered, nothing missed'
        : 'not recovered: messages were missed';
      addEvent(
        context.recovered
          ? 'reconnected and recovered: nothing was missed'
          : 'reconnected, but the position was gone: messages were missed',
      );
    }
    // The client hands over what was recovered right after this event, in the same task.
    isRecovering = context.recovered;
    setTimeout(() => {
      isRecovering = false;
    });
    void refreshPresence();
  });
  subscription.on('unsubscribed', ({ code, reason }) => {
    show('subscription-error', `Not subscribed: ${reason} (${code})`);
  });
  subscription.on('error', ({ error }) => show('subscription-error', error.message));
  subscription.on('publication', addPublication);
  subscription.on('join', () => void refreshPresence());
  subscription.on('leave', () => void refreshPresence());
  subscription.subscribe();
  showSnippet();
}

// Messages

/** @param {string} name @param {string} text */
function part(name, text) {
  const node = document.createElement(name === 'time' ? 'time' : 'span');
  node.className = name;
  node.textContent = text;
  return node;
}

/** @param {HTMLElement} item */
function addItem(item) {
  const list = element('messages');
  element('no-messages').hidden = true;
  list.prepend(item);
  while (list.childElementCount > maxMessages) list.lastElementChild?.remove();
}

/** @param {string} text */
function addEvent(text) {
  const item = document.createElement('li');
  item.className = 'event';
  item.append(part('time', new Date().toLocaleTimeString()), part('from', text));
  addItem(item);
}

/** @param {import('centrifuge').PublicationContext} publication */
function addPublication({ data, offset, info }) {
  const item = document.createElement('li');
  const from = info ? `from ${info.user || 'anonymous'}` : 'from the server API';
  const body = document.createElement('code');
  body.className = 'body';
  const line = JSON.stringify(data);
  body.textContent = line.length <= 80 ? line : JSON.stringify(data, undefined, 2);
  item.append(
    part('time', new Date().toLocaleTimeString()),
    part('offset', offset === undefined ? '' : `offset ${offset}`),
    part('from', isRecovering ? `${from}, recovered` : from),
    body,
  );
  addItem(item);
  if (offset !== undefined) showPosition(offset);
}

/** @param {number | undefined} offset */
function showPosition(offset) {
  element('position').textContent =
    offset === undefined ? 'no history here' : `offset ${offset}, epoch ${epoch}`;
}

function clearMessages() {
  element('messages').replaceChildren();
  element('no-messages').hidden = false;
}

// Presence

async function refreshPresence() {
  const channel = subscription?.channel;
  if (!channel || document.hidden) return;
  const { result, error } = await callApi('presence', JSON.stringify({ channel }));
  if (channel !== subscription?.channel) return;
  const list = element('people');
  list.replaceChildren();
  element('presence-count').textContent = '';
  show(
    'presence-note',
    error && (error.code === 108 ? 'This channel keeps no presence.' : error.message),
  );
  if (!result) return;
  /** @type {{ user: string, client: string }[]} */
  const people = Object.values(result.presence);
  element('presence-count').textContent = String(people.length);
  for (const { user, client: id } of people.slice(0, 100)) {
    const item = document.createElement('li');
    const ownId = element('client').textContent;
    item.title = id;
    item.append(
      part('user', id === ownId ? 'this page' : user || 'anonymous'),
      part('mono', id.slice(0, 8)),
    );
    list.append(item);
  }
}

// Snippets

/** @type {Session} */
let session;
const languages = /** @type {const} */ (['curl', 'browser', 'node']);
/** @type {typeof languages[number]} */
let language = 'curl';
/** @type {string | undefined} */
let apiKey;
/** @type {string | undefined} */
let token;

function showSnippet() {
  const scheme = location.protocol === 'https:' ? 'wss:' : 'ws:';
  const { code, note } = snippets[language]({
    apiUrl: location.origin + session.api_prefix,
    apiKey: session.api_key_needed ? (apiKey ?? 'YOUR-API-KEY') : undefined,
    websocketUrl: `${scheme}//${location.host}${session.websocket_path}`,
    channel: subscription?.channel ?? '',
    token,
  });
  element('snippet').textContent = code;
  element('snippet').setAttribute('aria-labelledby', `tab-${language}`);
  element('snippet-note').textContent = note;
  element('key-row').hidden = language !== 'curl' || !session.api_key_needed;
  for (const name of languages) {
    const tab = element(`tab-${name}`);
    tab.setAttribute('aria-selected', String(name === language));
    tab.tabIndex = name === language ? 0 : -1;
  }
}

/** @param {typeof languages[number]} name */
async function selectTab(name) {
  language = name;
  showSnippet();
  if (name === 'curl' || token !== undefined || !session.can_make_tokens) return;
  const response = await request('POST', 'admin/sample-token');
  if (!response.ok) return;
  token = String((await response.json()).token);
  showSnippet();
}

for (const [index, name] of languages.entries()) {
  const tab = element(`tab-${name}`);
  on(tab.id, 'click', () => selectTab(name));
  tab.addEventListener('keydown', ({ key }) => {
    const step = key === 'ArrowRight' ? 1 : key === 'ArrowLeft' ? languages.length - 1 : 0;
    const target = languages[(index + step) % languages.length];
    if (step === 0 || target === undefined) return;
    element(`tab-${target}`).focus();
    element(`tab-${target}`).click();
  });
}

on('copy', 'click', async () => {
  await navigator.clipboard.writeText(element('snippet').textContent ?? '');
  element('copy').textContent = 'Copied';
  setTimeout(() => {
    element('copy').textContent = 'Copy';
  }, 1_500);
});

on('reveal', 'click', async () => {
  if (apiKey === undefined) {
    const response = await request('GET', 'admin/api-key');
    if (!response.ok) return;
    apiKey = String((await response.json()).key);
  } else {
    apiKey = undefined;
  }
  element('api-key').textContent = apiKey ?? '••••••••';
  element('reveal').textContent = apiKey === undefined ? 'Reveal' : 'Hide';
  showSnippet();
});

// Forms

element('channel-form').addEventListener('submit', (event) => {
  event.preventDefault();
  const channel = find('channel', HTMLInputElement).value.trim();
  if (channel) watch(channel);
});

element('clear').addEventListener('click', clearMessages);

on('cut', 'click', async () => {
  const disconnect = { code: 3011, reason: 'force reconnect' };
  const params = { user: session.user, client: element('client').textContent, disconnect };
  await callApi('disconnect', JSON.stringify(params));
});

on('publish-form', 'submit', async () => {
  const data = find('data', HTMLTextAreaElement).value;
  try {
    JSON.parse(data);
  } catch {
    element('published').textContent = 'This is no JSON. Text needs quotes: "hello"';
    return;
  }
  const channel = JSON.stringify(subscription?.channel ?? '');
  const { result, error } = await callApi('publish', `{"channel":${channel},"data":${data}}`);
  if (error) element('published').textContent = `${error.message} (${error.code})`;
  else if (result?.offset === undefined) element('published').textContent = 'Published';
  else element('published').textContent = `Published at offset ${result.offset}`;
});

// Start

/** @param {string} [error] what kept somebody from signing in */
async function start(error) {
  const answer = await fetchSession();
  if (!answer.signed_in) {
    showSignedOut(answer.password, error);
    return;
  }
  session = answer;
  element('version').textContent = session.version;
  const reference = find('reference-link', HTMLAnchorElement);
  if (session.reference_path) reference.href = session.reference_path;
  reference.hidden = !session.reference_path;
  element('sign-out').hidden = false;
  element('signed-out').hidden = true;
  element('signed-in').hidden = false;
  element('reveal').title = session.api_key_place;
  const channel = localStorage.getItem(channelStorageKey) || 'news';
  find('channel', HTMLInputElement).value = channel;
  find('data', HTMLTextAreaElement).value = '{\n  "text": "hello"\n}';
  connect(session);
  watch(channel);
  setInterval(() => void refreshPresence(), presenceIntervalMs);
}

const [, code] = /^#sign-in=(.+)$/.exec(location.hash) ?? [];
if (code) {
  // The code leaves the address bar and the browser's history before anything else happens.
  history.replaceState(undefined, '', location.pathname);
  await start(await signIn({ code }));
} else {
  await start();
}
