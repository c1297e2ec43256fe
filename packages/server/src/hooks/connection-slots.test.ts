import { describe, expect, test } from 'vitest';
import { ConnectionSlots, type SlotTicket } from './connection-slots.ts';

function tickets(count: number, bytes = 10) {
  const begun: number[] = [];
  const list = Array.from({ length: count }, (_, index): SlotTicket => ({
    bytes,
    begin: () => begun.push(index),
  }));
  return { begun, list };
}

describe('connection slots', () => {
  test('first come, first served, within the limits', () => {
    const slots = new ConnectionSlots({ maxActive: 2, maxWaiting: 2, maxWaitingBytes: 100 });
    const { begun, list } = tickets(5);
    expect(list.map((ticket) => slots.enter(ticket))).toEqual([true, true, true, true, false]);
    expect(begun).toEqual([0, 1]);
    slots.leave();
    expect(begun).toEqual([0, 1, 2]);
    slots.leave();
    slots.leave();
    expect(begun).toEqual([0, 1, 2, 3]);
    expect([slots.active, slots.waiting]).toEqual([1, 0]);
    slots.leave();
    expect(slots.active).toBe(0);
  });

  test('bytes that wait are bounded, and given back', () => {
    const slots = new ConnectionSlots({ maxActive: 1, maxWaiting: 100, maxWaitingBytes: 25 });
    const { begun, list } = tickets(5);
    expect(list.map((ticket) => slots.enter(ticket))).toEqual([true, true, true, false, false]);
    expect(slots.giveUp(list[1] as SlotTicket)).toBe(true);
    expect(slots.giveUp(list[1] as SlotTicket)).toBe(false);
    expect(slots.giveUp(list[0] as SlotTicket)).toBe(false);
    expect(slots.enter(list[3] as SlotTicket)).toBe(true);
    slots.leave();
    slots.leave();
    expect(begun).toEqual([0, 2, 3]);
  });

  test('a long queue whose tickets all end at once does not grow the stack', () => {
    const slots = new ConnectionSlots({ maxActive: 1, maxWaiting: 1e6, maxWaitingBytes: 1e9 });
    slots.enter({ bytes: 0, begin: () => undefined });
    let ended = 0;
    for (let i = 0; i < 100_000; i++) {
      slots.enter({
        bytes: 1,
        begin() {
          ended += 1;
          slots.leave();
        },
      });
    }
    slots.leave();
    expect([ended, slots.active, slots.waiting]).toEqual([100_000, 0, 0]);
  });
});
