import { expect, test } from 'vitest';
import { frameOf, jsonFormat, type EchoFormat, type EchoMessage } from './echo-message.ts';
import { encodeFrame, opcodes, type Frame } from './frame.ts';
import { RawClient, type HandshakeRequest } from './raw-client.ts';

/** The connection goes on, and exactly this was answered. Replies and pongs have each their order. */
export interface GoesOn {
  readonly goesOn: {
    readonly replies?: readonly EchoMessage[];
    readonly pongs?: readonly (Uint8Array | string)[];
  };
}

/**
 * The server fails the connection (RFC 6455 §7.1.7): a close frame with this code (or one of these)
 * is the last it sends, and it ends the TCP connection without waiting for the client.
 */
export interface Fails {
  readonly fails: number | readonly number[];
  /** Messages from before the violation; the server may answer them or not, but nothing else. */
  readonly mayReply?: readonly EchoMessage[];
}

/**
 * The closing handshake (RFC 6455 §7.1.2): the close is answered with this code (`none`: without
 * one), then the server ends the TCP connection.
 */
export interface Closes {
  readonly closes: number | 'none';
  readonly mayReply?: readonly EchoMessage[];
}

/**
 * The server ends the connection for a reason above RFC 6455, with a closing handshake of its own:
 * it sends this code, and ends the TCP connection as soon as the client has answered.
 */
export interface Disconnects {
  readonly disconnects: number;
}

type Expectation = GoesOn | Fails | Closes | Disconnects;

export interface WireCase {
  readonly name: string;
  /** The clause that decides, of RFC 6455 unless it names another. */
  readonly rule: string;
  /** One TCP write each. */
  readonly send: readonly Uint8Array[];
  /** Cut all of it into writes of so many bytes instead. */
  readonly stepBytes?: number;
  readonly expect: Expectation;
}

export interface WireSettings {
  /** @defaultValue JSON */
  readonly format?: EchoFormat;
  /** Send the connect command first. @defaultValue true */
  readonly connects?: boolean;
  /** Changes to the handshake. */
  readonly request?: HandshakeRequest;
}

/** Opens a connection on which commands are answered. */
export async function openConnected(
  port: number,
  { format = jsonFormat, request = {} }: WireSettings = {},
): Promise<RawClient> {
  const headers = { 'Sec-WebSocket-Protocol': format.subprotocol, ...request.headers };
  const client = await RawClient.open(port, { ...request, headers });
  const { codec, opcode } = format;
  client.send(encodeFrame({ opcode, payload: codec.encodeCommand({ id: 1, connect: {} }) }));
  const { payload } = await client.nextFrame();
  const [reply] = codec.decodeReplies(payload);
  if (reply?.connect === undefined) {
    throw new Error(`connect was answered with ${payload.toString()}`);
  }
  return client;
}

/** A test per case, each on a connection of its own; `endpoint` is asked when the tests run. */
export function testWireCases(
  cases: readonly WireCase[],
  endpoint: () => { readonly port: number },
  settings: WireSettings = {},
): void {
  const { format = jsonFormat, connects = true, request = {} } = settings;
  const rows = cases.map((row) => [`${row.name} (§${row.rule})`, row] as const);
  test.for(rows)('%s', async ([, { send, stepBytes, expect: expected }]) => {
    const { port } = endpoint();
    using client = await (connects ? openConnected(port, settings) : RawClient.open(port, request));
    if (stepBytes === undefined) for (const bytes of send) client.send(bytes);
    else await client.sendInSteps(Buffer.concat(send), stepBytes);
    const seen = await observe(client, expected, format);
    expect(seen).toEqual(wanted(expected, seen));
  });
}

interface Seen {
  readonly replies: readonly string[];
  readonly pongs: readonly string[];
  readonly close: number | 'none' | 'open';
}

/** What should have been seen; where the specification leaves a choice, what was. */
function wanted(expected: Expectation, seen: Seen): Seen {
  if ('goesOn' in expected) {
    const { replies = [], pongs = [] } = expected.goesOn;
    return { replies: payloadsOf(replies), pongs: pongs.map(latin1), close: 'open' };
  }
  if ('disconnects' in expected) return { replies: [], pongs: [], close: expected.disconnects };
  const codes = 'fails' in expected ? [expected.fails].flat() : [expected.closes];
  return {
    replies: payloadsOf(expected.mayReply ?? []).slice(0, seen.replies.length),
    pongs: [],
    close: codes.find((code) => code === seen.close) ?? codes[0] ?? 'none',
  };
}

function payloadsOf(messages: readonly EchoMessage[]): readonly string[] {
  return messages.map(({ payload }) => latin1(payload));
}

/** Bytes as a string that shows a difference readably. */
function latin1(bytes: Uint8Array | string): string {
  return Buffer.from(bytes).toString('latin1');
}

/** Sorts frames; anything that is no reply, pong or final close is an error. */
function seenIn(frames: readonly Frame[], format: EchoFormat): Seen {
  const replies: string[] = [];
  const pongs: string[] = [];
  let close: Seen['close'] = 'open';
  for (const { opcode, payload } of frames) {
    if (close !== 'open') throw new Error('the server sent a frame after its close frame');
    if (opcode === format.opcode) replies.push(...format.split(payload).map(latin1));
    else if (opcode === opcodes.pong) pongs.push(latin1(payload));
    else if (opcode === opcodes.close) close = closeCode(payload);
    else throw new Error(`the server sent a frame with opcode ${opcode}`);
  }
  return { replies, pongs, close };
}

function closeCode(payload: Buffer): number | 'none' {
  return payload.length === 0 ? 'none' : payload.readUInt16BE();
}

/** Reads until it is certain that everything sent so far was answered. */
async function talkOn(client: RawClient, format: EchoFormat): Promise<Seen> {
  // Commands are answered in order, and so are pings: once these two are answered, everything is.
  const lastMessage = format.echo();
  const lastReply = latin1(lastMessage.payload);
  const lastPing = 'the last ping';
  client.send(frameOf(lastMessage));
  client.send(encodeFrame({ opcode: opcodes.ping, payload: lastPing }));
  const frames: Frame[] = [];
  let seen = seenIn(frames, format);
  while (seen.replies.at(-1) !== lastReply || seen.pongs.at(-1) !== lastPing) {
    frames.push(await client.nextFrame());
    seen = seenIn(frames, format);
    if (seen.close !== 'open') return seen;
  }
  await client.close();
  return { ...seen, replies: seen.replies.slice(0, -1), pongs: seen.pongs.slice(0, -1) };
}

/** Reads until the server ends the connection, answering its close. */
async function takeLeave(client: RawClient): Promise<readonly Frame[]> {
  const frames: Frame[] = [];
  while (frames.at(-1)?.opcode !== opcodes.close) frames.push(await client.nextFrame());
  const payload = frames.at(-1)?.payload ?? '';
  client.send(encodeFrame({ opcode: opcodes.close, payload }));
  return [...frames, ...(await client.untilEnd())];
}

async function observe(
  client: RawClient,
  expected: Expectation,
  format: EchoFormat,
): Promise<Seen> {
  if ('goesOn' in expected) return talkOn(client, format);
  const frames = await ('disconnects' in expected ? takeLeave(client) : client.untilEnd());
  return seenIn(frames, format);
}
