import { Disconnect, ReplyError } from '@holdfast/protocol';
import { decodeUtf8, isJson } from '../api/raw-json.ts';
import type { HttpResponse } from './http-exchange.ts';
import { HookAnswerError, ObjectReader } from './object-reader.ts';
import type { StatusTransform } from './options.ts';

/** What the backend decided. */
export type HookVerdict<Result> =
  | { readonly kind: 'result'; readonly result: Result }
  | { readonly kind: 'refusal'; readonly refusal: ReplyError | Disconnect };

const maxErrorCode = 2 ** 32 - 1;
/** The room that a WebSocket close frame has. */
const maxReasonBytes = 123;

/**
 * Reads the body of an answer with status 200: a JSON object with `disconnect`, `error` or `result`,
 * looked at in this order. `readResult` gets the members of `result`.
 * @throws HookAnswerError when the body is anything else.
 */
export function readAnswer<Result>(
  response: HttpResponse,
  readResult: (result: ObjectReader) => Result,
): HookVerdict<Result> {
  const answer = new ObjectReader(readJson(response));
  const disconnect = answer.object('disconnect');
  if (disconnect !== undefined) return { kind: 'refusal', refusal: readDisconnect(disconnect) };
  const error = answer.object('error');
  if (error !== undefined) return { kind: 'refusal', refusal: readError(error) };
  const result = answer.object('result');
  if (result !== undefined) return { kind: 'result', result: readResult(result) };
  throw new HookAnswerError(
    'the answer must have one of result, error and disconnect (to agree, answer {"result":{}})',
  );
}

function readJson(response: HttpResponse): string {
  const { body, contentEncoding, contentType } = response;
  if (contentEncoding !== '' && contentEncoding !== 'identity') {
    throw new HookAnswerError('the answer is compressed, which was not asked for');
  }
  const text = decodeUtf8(body);
  if (text !== undefined && isJson(text)) return text;
  const mediaType = /^[\w.+/-]{1,80}/.exec(contentType)?.[0] ?? 'unknown';
  throw new HookAnswerError(
    body.length === 0
      ? 'the answer is empty'
      : `the answer is not JSON (content type ${mediaType})`,
  );
}

function readError(error: ObjectReader): ReplyError {
  const code = error.integer('code') ?? 0;
  if (code < 1 || code > maxErrorCode) {
    throw new HookAnswerError('error.code must be a number; 400 to 1999 are for applications');
  }
  return new ReplyError(code, error.string('message') ?? '', error.boolean('temporary') ?? false);
}

function readDisconnect(disconnect: ObjectReader): Disconnect {
  return makeDisconnect(disconnect.integer('code') ?? 0, disconnect.string('reason') ?? '');
}

function makeDisconnect(code: number, reason: string): Disconnect {
  if (code < 3000 || code > 4999) {
    throw new HookAnswerError('disconnect.code must be from 4000 to 4999');
  }
  return new Disconnect(code, shorten(reason, maxReasonBytes));
}

/** Cuts between characters, so that the rest is valid UTF-8. */
function shorten(text: string, maxBytes: number): string {
  const bytes = Buffer.from(text);
  if (bytes.length <= maxBytes) return text;
  let end = maxBytes;
  while (((bytes[end] ?? 0) & 0xc0) === 0x80) end -= 1;
  return bytes.subarray(0, end).toString();
}

/**
 * What each transformed status means to the client.
 * @throws Error when a transform does not say exactly one valid thing.
 */
export function prepareTransforms(
  transforms: readonly StatusTransform[],
  key: string,
): ReadonlyMap<number, ReplyError | Disconnect> {
  const prepared = new Map<number, ReplyError | Disconnect>();
  for (const { statusCode, toError, toDisconnect } of transforms) {
    const entry = `${key}: the transform of status ${statusCode}`;
    if ((toError === undefined) === (toDisconnect === undefined)) {
      throw new Error(`${entry} needs one of to_error and to_disconnect`);
    }
    if (prepared.has(statusCode)) continue;
    if (toError !== undefined) {
      if (!(toError.code >= 1 && toError.code <= maxErrorCode)) {
        throw new Error(`${entry} has an error code that clients cannot be sent`);
      }
      const { code, message, temporary } = toError;
      prepared.set(statusCode, new ReplyError(code, message, temporary ?? false));
    } else if (toDisconnect !== undefined) {
      if (!(toDisconnect.code >= 3000 && toDisconnect.code <= 4999)) {
        throw new Error(`${entry}: disconnect codes are from 4000 to 4999`);
      }
      prepared.set(statusCode, makeDisconnect(toDisconnect.code, toDisconnect.reason));
    }
  }
  return prepared;
}
