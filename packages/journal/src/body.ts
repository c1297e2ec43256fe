import type { JournaledEntry, JournaledPublication } from '@holdfast/hub';

type AnyPublication = JournaledEntry['publication'] | JournaledPublication;
type Info = NonNullable<AnyPublication['info']>;

/** What stands before the data, as JSON. */
interface Head {
  readonly p: Omit<AnyPublication, 'data' | 'info'>;
  /** Bytes of the data; absent when there is none. */
  readonly d?: number;
  readonly i?: InfoHead;
  readonly e?: Omit<JournaledEntry, 'publication'>;
}

type InfoHead = Omit<Info, 'conn_info' | 'chan_info'> & {
  /** Base64. */
  readonly conn_info?: string;
  readonly chan_info?: string;
};

/*
 * A publication as bytes: the length of the head (4 bytes), the head as JSON, the data as it is. No
 * wire format, because nothing that those leave out, such as data of length zero, may be lost here.
 */

/** @param entry what a map knows of the key beside its value */
export function encodeBody(
  { data, info, ...publication }: AnyPublication,
  entry?: Omit<JournaledEntry, 'publication'>,
): Uint8Array {
  const head: Head = {
    p: publication,
    ...(data && { d: data.length }),
    ...(info && { i: infoHead(info) }),
    ...(entry && { e: entry }),
  };
  const text = JSON.stringify(head);
  const headBytes = Buffer.byteLength(text);
  const body = Buffer.allocUnsafe(4 + headBytes + (data?.length ?? 0));
  body.writeUInt32BE(headBytes);
  body.write(text, 4);
  if (data) body.set(data, 4 + headBytes);
  return body;
}

export function decodePublication(body: Uint8Array): AnyPublication {
  return decode(body).publication;
}

export function decodeEntry(body: Uint8Array): JournaledEntry {
  const { publication, head } = decode(body);
  const entry = { version: 0, versionEpoch: '', isIncremental: false, ...head.e };
  return { ...entry, publication: publication as JournaledEntry['publication'] };
}

function decode(body: Uint8Array): { readonly publication: AnyPublication; readonly head: Head } {
  const bytes = Buffer.from(body.buffer, body.byteOffset, body.byteLength);
  const start = 4 + bytes.readUInt32BE();
  const head = JSON.parse(bytes.toString('utf8', 4, start)) as Head;
  const publication = {
    ...head.p,
    ...(head.d !== undefined && { data: new Uint8Array(body.subarray(start, start + head.d)) }),
    ...(head.i && { info: infoOf(head.i) }),
  } as AnyPublication;
  return { publication, head };
}

function infoHead({ conn_info: connection, chan_info: channel, ...info }: Info): InfoHead {
  return {
    ...info,
    ...(connection && { conn_info: Buffer.from(connection).toString('base64') }),
    ...(channel && { chan_info: Buffer.from(channel).toString('base64') }),
  };
}

function infoOf({ conn_info: connection, chan_info: channel, ...info }: InfoHead): Info {
  return {
    ...info,
    ...(connection !== undefined && { conn_info: bytesOf(connection) }),
    ...(channel !== undefined && { chan_info: bytesOf(channel) }),
  };
}

function bytesOf(base64: string): Uint8Array<ArrayBuffer> {
  return new Uint8Array(Buffer.from(base64, 'base64'));
}
