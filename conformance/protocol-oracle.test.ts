import { type Command, type EmulationRequest, type Reply, protobufCodec } from '@holdfast/protocol';
import { arbitraryCommand, arbitraryEmulation, arbitraryReply } from '@holdfast/protocol/testing';
import { Centrifuge } from 'centrifuge/build/protobuf';
import * as fc from 'fast-check';
import { expect, test } from 'vitest';

/**
 * What the stock client encodes and decodes with. Its own class for this is not exported, but every
 * client of the Protobuf build has one.
 */
interface ClientCodec {
  encodeCommands(commands: readonly Command[]): Uint8Array;
  decodeCommands(frame: Uint8Array): object[];
  encodeReplies(replies: readonly Reply[]): Uint8Array;
  decodeReplies(frame: Uint8Array): object[];
  encodeEmulationRequest(request: EmulationRequest): Uint8Array;
}

const client = new Centrifuge('ws://127.0.0.1');
const { _codec: oracle } = client as unknown as { readonly _codec: ClientCodec };

/** Takes from `theirs` exactly the members that `ours` has, as plain values. */
function membersOf(ours: unknown, theirs: unknown): unknown {
  if (typeof ours === 'number') return Number(theirs);
  if (ours instanceof Uint8Array) return new Uint8Array(theirs as Uint8Array);
  if (Array.isArray(ours)) {
    return (theirs as unknown[]).map((item, index) => membersOf(ours[index], item));
  }
  if (typeof ours !== 'object' || ours === null) return theirs;
  const members = Object.create(null) as Record<string, unknown>;
  for (const [name, member] of Object.entries(ours)) {
    members[name] = membersOf(member, (theirs as Record<string, unknown>)[name]);
  }
  return members;
}

/** The client's decoder loses map entries of this name. */
function hasProtoKey(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  return Object.hasOwn(value, '__proto__') || Object.values(value).some(hasProtoKey);
}

// Dictionary compression is newer than this client, so its fields are left out.

function knownReply({ connect, ...reply }: Reply): Reply {
  if (connect === undefined) return reply;
  const { flag: _flag, ...known } = connect;
  return { ...reply, connect: known };
}

function knownCommand({ connect, ...command }: Command): Command {
  if (connect === undefined) return command;
  const { dict: _dict, profile: _profile, ...known } = connect;
  return { ...command, connect: known };
}

const replies = fc
  .array(arbitraryReply.map(knownReply), { minLength: 1, maxLength: 2 })
  .filter((replies) => !hasProtoKey(replies));
const commands = fc
  .array(arbitraryCommand.map(knownCommand), { minLength: 1, maxLength: 2 })
  .filter((commands) => !hasProtoKey(commands));

test('the stock client reads our replies as we mean them', () => {
  fc.assert(
    fc.property(replies, (replies) => {
      const frame = protobufCodec.joinMessages(
        replies.map((reply) => protobufCodec.encodeReply(reply)),
      );
      expect(membersOf(replies, oracle.decodeReplies(frame))).toEqual(replies);
    }),
  );
});

test('we read replies as the stock client writes them', () => {
  fc.assert(
    fc.property(replies, (replies) => {
      expect(protobufCodec.decodeReplies(oracle.encodeReplies(replies))).toEqual(replies);
    }),
  );
});

test('we read commands as the stock client writes them', () => {
  fc.assert(
    fc.property(commands, (commands) => {
      expect(protobufCodec.decodeCommands(oracle.encodeCommands(commands))).toEqual(commands);
    }),
  );
});

test('the stock client reads our commands as we mean them', () => {
  fc.assert(
    fc.property(commands, (commands) => {
      const frame = protobufCodec.joinMessages(
        commands.map((command) => protobufCodec.encodeCommand(command)),
      );
      expect(membersOf(commands, oracle.decodeCommands(frame))).toEqual(commands);
    }),
  );
});

test('we read requests of the emulation endpoint as the stock client writes them', () => {
  fc.assert(
    fc.property(arbitraryEmulation, (request) => {
      expect(protobufCodec.decodeEmulation(oracle.encodeEmulationRequest(request))).toEqual(
        request,
      );
    }),
  );
});
