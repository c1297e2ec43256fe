import type { Position } from '../ports/broker.ts';
import type { MapChangeOptions, MapPublishOptions, MapSuppression } from '../ports/map-broker.ts';
import type { MapEntry } from './memory-map.ts';

/** Why a publish to a key with this entry does not happen. */
export function publishSuppression(
  options: MapPublishOptions,
  entry: MapEntry | undefined,
  top: Position | undefined,
): MapSuppression | undefined {
  const { keyMode, version = 0, versionEpoch = '' } = options;
  if (keyMode === 'if_new' && entry) return 'key_exists';
  if (keyMode === 'if_exists' && !entry) return 'key_not_found';
  if (!isAsExpected(options, entry, top)) return 'position_mismatch';
  if (version <= 0 || !entry) return undefined;
  const isComparable = versionEpoch === '' || versionEpoch === entry.versionEpoch;
  return isComparable && version <= entry.version ? 'version' : undefined;
}

/** Whether a change may happen to a key with this entry, as far as its position goes. */
export function isAsExpected(
  { expectedPosition }: MapChangeOptions,
  entry: MapEntry | undefined,
  top: Position | undefined,
): boolean {
  if (!expectedPosition) return true;
  return (
    top?.epoch === expectedPosition.epoch && entry?.publication.offset === expectedPosition.offset
  );
}
