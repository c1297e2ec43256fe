import { expect, test } from 'vitest';
import { jsonEcho, frameOf, type EchoMessage } from './echo-message.ts';
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

export interface WireCase {
  readonly name: string;
  /** The clause that decides, of RFC 6455 unless it names another. */
  readonly rule: string;
  /** One TCP write each. */
  readonly send: readonly Uint8Array[];
  /** Cut all of it into writes of so many bytes instead. */
  readonly stepBytes?: number;
  readonly expect: GoesOn | Fails | Closes;
}

/** Opens a connection on which commands are answered. */
export async function openAuthenticated(
  port: number,
  request: HandshakeRequest = {},
): Promise<RawClient> {
  const client = await RawClient.open(port, request);
  client.send(encodeFrame({ opcode: opcodes.text, payload: '{"id":1,"connect":{}}' }));
  const { payload } = await client.nextFrame();
  const reply = JSON.parse(payload.toString()) as { readonly id?: number; connect?: unknown };
  if (reply.id !== 1 || reply.connect === undefined) {
    throw new Error(`connect was answered with ${payload.toString()}`);
  }
  return client;
}

/** A test per case, each on a connection of its own; `endpoint` is asked when the tests run. */
export function testWireCases(
  cases: readonly WireCase[],
  endpoint: () => { readonly port: number },
): void {
  const rows = cases.map((row) => [`${row.name} (§${row.rule})`, row] as const);
  test.for(rows)('%s', async ([, { send, stepBytes, expect: expected }]) => {
    using client = await openAuthenticated(endpoint().port);
    if (stepBytes === undefined) for (const bytes of send) client.send(bytes);
    else await client.sendInSteps(Buffer.concat(send), stepBytes);

    const seen = await ('goesOn' in expected ? talkOn(client) : listenToTheEnd(client));
    expect(seen).toEqual(wanted(expected, seen));
  });
}

interface Seen {
  readonly replies: readonly string[];
  readonly pongs: readonly string[];
  readonly close: number | 'none' | 'open';
}

/** What should have been seen; where the specification leaves a choice, what was. */
function wanted(expected: WireCase['expect'], seen: Seen): Seen {
  if ('goesOn' in expected) {
    const { replies = [], pongs = [] } = expected.goesOn;
    return { replies: payloadsOf(replies), pongs: pongs.map(latin1), close: 'open' };
  }
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

/** Sorts frames; anything that is no text, pong or final close is an error. */
function seenIn(frames: readonly Frame[]): Seen {
  const replies: string[] = [];
  const pongs: string[] = [];
  let close: Seen['close'] = 'open';
  for (const { opcode, payload } of frames) {
    if (close !== 'open') throw new Error('the server sent a frame after its close frame');
    // Several replies may share a frame, one per line.
    if (opcode === opcodes.text) replies.push(...latin1(payload).split('\n'));
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
async function talkOn(client: RawClient): Promise<Seen> {
  // Commands are answered in order, and so are pings: once these two are answered, everything is.
  const lastMessage = jsonEcho('the last message');
  const lastReply = latin1(lastMessage.payload);
  const lastPing = 'the last ping';
  client.send(frameOf(lastMessage));
  client.send(encodeFrame({ opcode: opcodes.ping, payload: lastPing }));
  const frames: Frame[] = [];
  let seen = seenIn(frames);
  while (seen.replies.at(-1) !== lastReply || seen.pongs.at(-1) !== lastPing) {
    frames.push(await client.nextFrame());
    seen = seenIn(frames);
    if (seen.close !== 'open') return seen;
  }
  await client.close();
  return { ...seen, replies: seen.replies.slice(0, -1), pongs: seen.pongs.slice(0, -1) };
}

async function listenToTheEnd(client: RawClient): Promise<Seen> {
  return seenIn(await client.untilEnd());
}
