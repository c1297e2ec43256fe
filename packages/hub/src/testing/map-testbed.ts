import type { MapBroker, MapPublication, MapRetention } from '../ports/map-broker.ts';
import { bytes, text, type LinkedTestbed } from './port-testbed.ts';

export type MapBrokerTestbed = LinkedTestbed<MapBroker>;

/** No stream; keys for as long as a test takes. */
export const ephemeral: MapRetention = {
  streamSize: 0,
  streamTtlMs: 0,
  keyTtlMs: 60_000,
  metaTtlMs: 0,
};

/** A stream, and keys that expire. */
export const recoverable: MapRetention = {
  streamSize: 1000,
  streamTtlMs: 60_000,
  keyTtlMs: 60_000,
  metaTtlMs: 600_000,
};

/** A stream, and keys that stay. */
export const persistent: MapRetention = { ...recoverable, keyTtlMs: 0 };

export const modes: readonly (readonly [name: string, retention: MapRetention])[] = [
  ['ephemeral', ephemeral],
  ['recoverable', recoverable],
  ['persistent', persistent],
];

export function value(key: string, data: string, score?: number): MapPublication {
  return { key, data: bytes(data), ...(score === undefined ? {} : { score }) };
}

/** `key=data` of each entry, in order; `-key` for a removal. */
export function summary(entries: readonly MapPublication[]): readonly string[] {
  return entries.map(({ key, data, removed }) => (removed ? `-${key}` : `${key}=${text(data)}`));
}

/** The whole state of a channel. */
export async function stateOf(
  broker: MapBroker,
  channel: string,
  retention: MapRetention,
): Promise<readonly string[]> {
  const { entries } = await broker.readState(channel, { retention, limit: -1 });
  return summary(entries);
}
