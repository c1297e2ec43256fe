import type { Format, Publication } from '@holdfast/protocol';
import { createDelta } from './delta/create-delta.ts';
import { SharedPush, wirePublication } from './message-encoder.ts';
import type { BrokerPublication, Position } from './ports/broker.ts';
import type { Subscription } from './subscription.ts';

const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * Payload bytes as a JSON string, the form in which JSON clients of a delta subscription get data.
 * Undefined when they are not UTF-8: a patch may cut a character in two.
 */
function quoteJson(data: Uint8Array): Uint8Array | undefined {
  try {
    return encoder.encode(JSON.stringify(decoder.decode(data)));
  } catch {
    return undefined;
  }
}

/** A patch in the forms that can carry it; neither when it would not be shorter than the data. */
interface Patch {
  readonly bytes?: SharedPush;
  readonly text?: SharedPush | undefined;
}

/**
 * One live publication on its way to all subscribers of a channel on this node: encoded at most once
 * per format and payload form, and framed by the transports.
 *
 * Payload forms: subscribers without delta get the data as published. Subscribers with delta get
 * either the full data or a patch against the previous publication; JSON carries both as strings.
 */
export class Broadcast {
  readonly publication: Publication;
  readonly position: Position | undefined;
  readonly excludeClient: string | undefined;
  readonly #channel: string;
  readonly #previous: Publication | undefined;
  #plain: SharedPush | undefined;
  #fullText: SharedPush | undefined;
  #patch: Patch | undefined;

  constructor(event: BrokerPublication) {
    const { publication, position } = event;
    this.#channel = event.channel;
    this.#previous = event.previous;
    this.position = position;
    this.excludeClient = event.excludeClient;
    // Only the first publication of a stream carries its epoch: it tells subscribers that came
    // before the stream existed.
    this.publication =
      position?.offset === 1
        ? { ...wirePublication(publication), epoch: position.epoch }
        : wirePublication(publication);
  }

  /** The encoded message for one subscription; null when its format cannot carry the payload. */
  messageFor(subscription: Subscription): Uint8Array | null {
    const { encoder } = subscription.session;
    if (!subscription.usesDelta || this.publication.removed === true) {
      return this.#inPlain().message(encoder);
    }
    const isJson = encoder.codec.format === 'json';
    if (subscription.holdsBaseOf(this)) {
      this.#patch ??= this.#makePatch();
      const push = isJson ? this.#patch.text : this.#patch.bytes;
      if (push !== undefined) return push.message(encoder);
    }
    if (!isJson) return this.#inPlain().message(encoder);
    this.#fullText ??= this.#shareText(this.publication) ?? this.#inPlain();
    return this.#fullText.message(encoder);
  }

  #inPlain(): SharedPush {
    this.#plain ??= new SharedPush({ channel: this.#channel, pub: this.publication });
    return this.#plain;
  }

  #makePatch(): Patch {
    if (this.#previous === undefined) return {};
    const data = createDelta(dataOf(this.#previous), dataOf(this.publication));
    if (data === undefined) return {};
    const patched: Publication = { ...this.publication, data, delta: true };
    return {
      bytes: new SharedPush({ channel: this.#channel, pub: patched }),
      text: this.#shareText(patched),
    };
  }

  #shareText(publication: Publication): SharedPush | undefined {
    const data = quoteJson(dataOf(publication));
    if (data === undefined) return undefined;
    return new SharedPush({ channel: this.#channel, pub: { ...publication, data } });
  }
}

function dataOf(publication: Publication): Uint8Array {
  return publication.data ?? new Uint8Array(0);
}

/**
 * A run of consecutive publications for a delta subscriber: the first one full, each later one as a
 * patch against the one before where that is shorter.
 */
export function deltaForm(
  publications: readonly Publication[],
  format: Format,
): readonly Publication[] {
  return publications.map((publication, index) => {
    const previous = publications[index - 1];
    const patch =
      previous === undefined ? undefined : createDelta(dataOf(previous), dataOf(publication));
    if (format === 'protobuf') {
      return patch === undefined ? publication : { ...publication, data: patch, delta: true };
    }
    const patchText = patch === undefined ? undefined : quoteJson(patch);
    if (patchText !== undefined) return { ...publication, data: patchText, delta: true };
    const text = quoteJson(dataOf(publication));
    return text === undefined ? publication : { ...publication, data: text };
  });
}

/** Publications for a delta subscriber, each with its full data. */
export function fullForm(
  publications: readonly Publication[],
  format: Format,
): readonly Publication[] {
  if (format === 'protobuf') return publications;
  return publications.map((publication) => {
    if (publication.data === undefined) return publication;
    const data = quoteJson(publication.data);
    return data === undefined ? publication : { ...publication, data };
  });
}
