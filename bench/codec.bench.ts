/**
 * What the codecs cost, in CPU time per operation: `npx node --conditions=@holdfast/source
 * bench/codec.bench.ts`. A publication is encoded once per format for all its subscribers; a command
 * is decoded once.
 */
import { type Codec, jsonCodec, protobufCodec } from '@holdfast/protocol';
import { spreadOf } from './statistics.ts';

const rounds = 9;
const operationsPerRound = 30_000;

const text = JSON.stringify({ text: 'x'.repeat(150), number: 12_345, list: [1, 2, 3] });
const data = new TextEncoder().encode(text);
const info = { user: '42', client: '5e0f6ae4-7b1c-4d7e-9a53-0f6ae47b1c4d' };
const push = { push: { channel: 'news:sport', pub: { data, offset: 123_456, info } } };
const publish = { id: 7, publish: { channel: 'news:sport', data } };
const subscribe = { id: 8, subscribe: { channel: 'news:sport', recover: true, offset: 123_456 } };

/** CPU microseconds of one call, in every round but the first, which warms up. */
function microsecondsOf(operation: () => unknown): readonly number[] {
  return Array.from({ length: rounds + 1 }, () => {
    const start = process.cpuUsage();
    for (let count = 0; count < operationsPerRound; count += 1) operation();
    const { user, system } = process.cpuUsage(start);
    return (user + system) / operationsPerRound;
  }).slice(1);
}

function report(name: string, operation: () => unknown): void {
  const { median, min, max } = spreadOf(microsecondsOf(operation));
  const figures = [median, min, max].map((figure) => figure.toFixed(2).padStart(8)).join('');
  console.log(`${name.padEnd(36)}${figures}`);
}

function reportCodec(codec: Codec): void {
  const publishFrame = codec.encodeCommand(publish);
  const subscribeFrame = codec.encodeCommand(subscribe);
  report(`${codec.format}: encode a publication`, () => codec.encodeReply(push));
  report(`${codec.format}: decode a publish`, () => codec.decodeCommands(publishFrame));
  report(`${codec.format}: decode a subscribe`, () => codec.decodeCommands(subscribeFrame));
}

console.log(`${'µs of CPU per operation'.padEnd(36)}  median     min     max`);
reportCodec(jsonCodec);
reportCodec(protobufCodec);
report('for comparison: JSON.parse of data', () => JSON.parse(text));
