import { severities, type Severity } from '@holdfast/protocol/inbox';
import { InboxError } from './errors.ts';

/** What a sender says. All text is plain text: whoever shows it must escape it. */
export interface NotificationContent {
  /** What it is about; preferences and counts are by category. Lower-case words, at most 64 characters. */
  readonly category: string;
  /** 1 to 200 characters. */
  readonly title: string;
  /** At most 4,000 characters. @defaultValue '' */
  readonly body?: string;
  /**
   * `http:`, `https:` or a path of the application (`/orders/7`); anything else is refused, and so is
   * one with a user name or password in it.
   */
  readonly link?: string;
  /** @defaultValue 'info' */
  readonly severity?: Severity;
  /** Part of the application that sent it. At most 100 characters. */
  readonly source?: string;
  /** Anything JSON, at most 16 KiB. */
  readonly data?: unknown;
  /** An unread notification with the same key is replaced by this one. At most 200 characters. */
  readonly groupKey?: string;
  /** Unix milliseconds; from then on it is gone. */
  readonly expiresAt?: number;
}

/** Content that passed every check, ready to be stored. */
export interface CheckedContent {
  readonly category: string;
  readonly severity: Severity;
  readonly title: string;
  readonly body: string;
  readonly link: string | null;
  readonly source: string | null;
  /** JSON. */
  readonly data: string | null;
  readonly groupKey: string | null;
  readonly expiresAt: number | null;
}

const maxDataBytes = 16_384;
const namePattern = /^[a-z0-9][a-z0-9_.-]{0,63}$/;
// Controls except tab and line feed, and the two characters that show text in another order than it is.
const unprintable = /(?![\t\n])\p{Cc}|[\u202d\u202e]/u;

/** @throws {@link InboxError} `inbox_invalid` naming the first field that is wrong. */
export function checkContent(content: NotificationContent): CheckedContent {
  const { severity = 'info', expiresAt } = content;
  if (!severities.includes(severity)) fail('severity', `must be one of ${severities.join(', ')}`);
  if (expiresAt !== undefined) checkFutureTime('expiresAt', expiresAt);
  return {
    category: checkName('category', content.category),
    severity,
    title: checkTitle(content.title),
    body: checkText('body', content.body ?? '', { min: 0, max: 4000 }),
    link: content.link === undefined ? null : checkLink(content.link),
    source: optionalText('source', content.source, 100),
    data: content.data === undefined ? null : checkData(content.data),
    groupKey: optionalText('groupKey', content.groupKey, 200),
    expiresAt: expiresAt ?? null,
  };
}

/** Names of categories and topics. @throws {@link InboxError} `inbox_invalid`, as all checks here */
export function checkName(field: string, name: string): string {
  if (typeof name !== 'string' || !namePattern.test(name)) {
    fail(field, 'must be 1 to 64 of a-z, 0-9, _ . - and begin with a letter or digit');
  }
  return name;
}

/** Ids of users and devices, which the application chooses. */
export function checkId(field: string, id: string): string {
  return checkText(field, id, { min: 1, max: 255 });
}

const notificationIdPattern = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** A place in the order of notifications: the id of one, whether it is still there or not. */
export function checkPlace(field: string, id: string, meaning: string): string {
  if (typeof id !== 'string' || !notificationIdPattern.test(id)) {
    fail(field, `must be ${meaning}`);
  }
  return id;
}

/** Things on one page. */
export function checkLimit(limit: number): number {
  if (!Number.isInteger(limit) || limit < 1 || limit > 100) fail('limit', 'must be 1 to 100');
  return limit;
}

/** Before 1973 in milliseconds, in thousands of years in seconds: it tells what somebody meant. */
const leastMilliseconds = 100_000_000_000;

/** A time to come, for which seconds are taken easily: they would be long ago. */
export function checkFutureTime(field: string, time: number): number {
  if (checkTime(field, time) < leastMilliseconds) {
    fail(field, 'must be a time in Unix milliseconds; this looks like seconds');
  }
  return time;
}

/** Unix milliseconds. */
export function checkTime(field: string, time: number): number {
  if (!Number.isSafeInteger(time) || time < 0 || time > 8_640_000_000_000_000) {
    fail(field, 'must be a time in Unix milliseconds');
  }
  return time;
}

/** Well-formed text without control characters, in UTF-16 units. */
export function checkText(
  field: string,
  text: string,
  limits: { readonly min: number; readonly max: number },
): string {
  if (typeof text !== 'string') fail(field, 'must be text');
  if (text.length < limits.min || text.length > limits.max) {
    fail(field, `must have ${limits.min} to ${limits.max} characters`);
  }
  if (!text.isWellFormed()) fail(field, 'contains half of a character');
  if (unprintable.test(text)) fail(field, 'contains control characters');
  return text;
}

// What leaves no ink: spaces, what Unicode lets a program ignore (zero-width characters, Hangul
// fillers, variation selectors), formats, and the Braille cell without dots, which has no such property.
const invisible = /^[\s\p{Default_Ignorable_Code_Point}\p{Cf}\u2800]*$/u;

/** The title is the link and the name of a notification: one that cannot be seen cannot be opened. */
function checkTitle(title: string): string {
  checkText('title', title, { min: 1, max: 200 });
  if (invisible.test(title)) fail('title', 'must not be blank');
  return title;
}

function optionalText(field: string, text: string | undefined, max: number): string | null {
  return text === undefined ? null : checkText(field, text, { min: 1, max });
}

/** A link that cannot run a script in the page that shows it. */
function checkLink(link: string): string {
  checkText('link', link, { min: 1, max: 2000 });
  // '//host' and '/\host' leave the application although they begin like a path.
  if (/^\/(?![/\\])/.test(link) && !/[\s\\]/.test(link)) return link;
  const url = /^https?:\/\/[^\s\\]+$/i.test(link) ? URL.parse(link) : null;
  if (url === null) return fail('link', "must begin with 'https://', 'http://' or a single '/'");
  if (url.username !== '' || url.password !== '') {
    fail('link', 'must not contain a user name or password: people are shown it, and it is stored');
  }
  return link;
}

function checkData(data: unknown): string {
  let json: string | undefined;
  try {
    json = JSON.stringify(data);
  } catch {
    // Circular, or a bigint: reported below like everything else that JSON cannot say.
  }
  if (json === undefined) return fail('data', 'has no JSON form');
  if (Buffer.byteLength(json) > maxDataBytes) {
    fail('data', `must have at most ${maxDataBytes} bytes as JSON`);
  }
  return json;
}

function fail(field: string, rule: string): never {
  throw new InboxError('inbox_invalid', `${field} ${rule}`);
}
