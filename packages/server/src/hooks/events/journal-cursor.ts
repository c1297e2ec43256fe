import { type FileHandle, open } from 'node:fs/promises';
import { constants } from 'node:fs';
import { crc32 } from 'node:zlib';

const slotBytes = 16;

/**
 * Remembers in a small file how far the journal has been acknowledged. Two slots are written in turn,
 * so that a write that was cut off leaves the one before it. An old value does no harm: events are
 * delivered again.
 */
export class JournalCursor {
  readonly #file: FileHandle;
  #acknowledged: number;
  #slot: number;
  #saving: Promise<void> | undefined;
  #saved: number;

  private constructor(file: FileHandle, slot: number, acknowledged: number) {
    this.#file = file;
    this.#slot = slot;
    this.#acknowledged = acknowledged;
    this.#saved = acknowledged;
  }

  static async open(path: string): Promise<JournalCursor> {
    const file = await open(path, constants.O_RDWR | constants.O_CREAT, 0o600);
    const bytes = Buffer.alloc(2 * slotBytes);
    await file.read(bytes, 0, bytes.length, 0);
    const slots = [readSlot(bytes, 0), readSlot(bytes, 1)];
    const newest = (slots[1] ?? -1) > (slots[0] ?? -1) ? 1 : 0;
    return new JournalCursor(file, newest, slots[newest] ?? 0);
  }

  /** Everything up to this sequence has arrived; 0 when nothing has. */
  get acknowledged(): number {
    return this.#acknowledged;
  }

  /** Takes effect at once in memory; on disk soon, the newest value of several. */
  acknowledge(sequence: number): void {
    if (sequence === this.#acknowledged) return;
    this.#acknowledged = sequence;
    this.#saving ??= this.#save();
  }

  async close(): Promise<void> {
    await this.#saving;
    await this.#file.close();
  }

  async #save(): Promise<void> {
    try {
      while (this.#saved !== this.#acknowledged) {
        const sequence = this.#acknowledged;
        this.#slot = 1 - this.#slot;
        await this.#file.write(encodeSlot(sequence), 0, slotBytes, this.#slot * slotBytes);
        this.#saved = sequence;
      }
    } catch {
      // The disk refuses: events may be delivered again after a restart. The journal, which writes
      // much more, reports it.
    } finally {
      this.#saving = undefined;
    }
  }
}

function encodeSlot(sequence: number): Buffer {
  const slot = Buffer.alloc(slotBytes);
  slot.writeBigUInt64BE(BigInt(sequence), 0);
  slot.writeUInt32BE(crc32(slot.subarray(0, 8)), 8);
  return slot;
}

function readSlot(bytes: Buffer, index: number): number | undefined {
  const slot = bytes.subarray(index * slotBytes, (index + 1) * slotBytes);
  const sequence = Number(slot.readBigUInt64BE(0));
  return sequence > 0 && crc32(slot.subarray(0, 8)) === slot.readUInt32BE(8) ? sequence : undefined;
}
