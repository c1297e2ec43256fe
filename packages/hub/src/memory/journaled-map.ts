import type { Clock } from '../clock.ts';
import type { ChannelChange, ChannelRecord, JournaledEntry } from '../ports/channel-journal.ts';
import type { MapPublication } from '../ports/map-broker.ts';
import type { MapEntry, MemoryMap } from './memory-map.ts';
import { MemoryStream } from './memory-stream.ts';
import { toMonotonic, toUnix } from './wall-clock.ts';

/** Whether {@link takeUnsavedMap} would find something. */
export function isUnsaved(map: MemoryMap, now: number): boolean {
  const { isJournaled, unsavedKeys, stream } = map;
  return !isJournaled || (unsavedKeys?.size ?? 0) > 0 || stream?.hasUnsaved(now) === true;
}

/** What the journal does not have of a map; from now on it counts as having it. */
export function takeUnsavedMap(map: MemoryMap, clock: Clock): Omit<ChannelChange, 'results'> {
  const { channel, isJournaled, retention } = map;
  const keys = [...(map.unsavedKeys ?? [])];
  const entries = keys.flatMap((key) => map.get(key, -Infinity) ?? []);
  const present = new Set(entries.map(({ key }) => key));
  const unsaved = map.stream?.takeUnsaved(clock);
  map.unsavedKeys?.clear();
  map.isJournaled = true;
  return {
    channel,
    retention,
    publications: unsaved?.publications ?? [],
    ...(unsaved && { stream: unsaved.stream }),
    startsOver: !isJournaled,
    entries: entries.map((entry) => journaledEntry(entry, clock)),
    removedKeys: isJournaled ? keys.filter((key) => !present.has(key)) : [],
    ...(map.size > 0 ? {} : { keepUntil: unsaved?.stream.forgetAt ?? 0 }),
  };
}

/** All of a map. */
export function recordOf(map: MemoryMap, clock: Clock): Omit<ChannelRecord, 'results'> {
  const { channel, retention } = map;
  return {
    channel,
    retention,
    publications: [],
    ...map.stream?.record(clock),
    entries: [...map.entries()].map((entry) => journaledEntry(entry, clock)),
  };
}

/** Fills an empty map with what a journal has of it. */
export function restoreMap(map: MemoryMap, record: ChannelRecord, clock: Clock): MemoryMap {
  const { stream, retention, publications, entries } = record;
  if (retention) map.retention = retention;
  if (stream) {
    map.stream = MemoryStream.restore(stream, publications, clock);
    map.stream.markSaved();
    map.metaDeadline = map.stream.metaDeadline;
  }
  for (const { publication, version, versionEpoch, isIncremental, expireAt } of entries) {
    const entry = map.add(publication);
    entry.version = version;
    entry.versionEpoch = versionEpoch;
    entry.isIncremental = isIncremental;
    map.limit(entry, expireAt === undefined ? Infinity : toMonotonic(expireAt, clock));
  }
  map.unsavedKeys?.clear();
  map.isJournaled = true;
  return map;
}

function journaledEntry(entry: MapEntry, clock: Clock): JournaledEntry {
  const { version, versionEpoch, isIncremental, deadline } = entry;
  const publication: MapPublication = entry.publication;
  return {
    publication,
    version,
    versionEpoch,
    isIncremental,
    ...(deadline === Infinity ? {} : { expireAt: toUnix(deadline, clock) }),
  };
}
