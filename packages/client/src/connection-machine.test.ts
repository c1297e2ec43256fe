import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  backoffDelayMs,
  type ConnectionStatus,
  connectionStatuses,
  initialMachineState,
  type MachineEvent,
  type MachineState,
  provenRetries,
  transition,
} from './connection-machine.ts';

const backoff = { minDelayMs: 500, maxDelayMs: 20_000, stableMs: 10_000 };
const context = { transports: 3, backoff, random: () => 0.5 };

const events = {
  connect: { type: 'connect' },
  disconnect: { type: 'disconnect' },
  opened: { type: 'opened' },
  failed: { type: 'failed', reached: true },
  lost: { type: 'lost', lastedMs: 1 },
  stalled: { type: 'stalled' },
  refused: { type: 'refused' },
  retry: { type: 'retry' },
  offline: { type: 'offline' },
  online: { type: 'online' },
  wake: { type: 'wake' },
  suspend: { type: 'suspend' },
  resume: { type: 'resume' },
  token: { type: 'restart', upgrade: false },
  upgrade: { type: 'restart', upgrade: true },
} as const satisfies Record<string, MachineEvent>;

/** The table of client-connection.spec.md, row by row; what is absent changes nothing. */
const table: Readonly<
  Record<keyof typeof events, Readonly<Partial<Record<ConnectionStatus, ConnectionStatus>>>>
> = {
  connect: { idle: 'connecting', refused: 'connecting' },
  disconnect: {
    connecting: 'idle',
    connected: 'idle',
    waiting: 'idle',
    offline: 'idle',
    suspended: 'idle',
    refused: 'idle',
  },
  opened: { connecting: 'connected' },
  failed: { connecting: 'waiting' },
  lost: { connected: 'waiting' },
  stalled: { connected: 'connecting' },
  refused: { connecting: 'refused', connected: 'refused' },
  retry: { waiting: 'connecting', offline: 'connecting' },
  offline: { connecting: 'offline', connected: 'offline', waiting: 'offline' },
  online: { waiting: 'waiting', offline: 'waiting' },
  wake: { waiting: 'connecting' },
  suspend: {
    connecting: 'suspended',
    connected: 'suspended',
    waiting: 'suspended',
    offline: 'suspended',
  },
  resume: { suspended: 'connecting' },
  token: {
    connecting: 'connecting',
    connected: 'connecting',
    waiting: 'connecting',
    refused: 'connecting',
  },
  upgrade: { connecting: 'connecting', connected: 'connecting', waiting: 'connecting' },
};

function at(status: ConnectionStatus, state: Partial<MachineState> = {}): MachineState {
  return { ...initialMachineState, status, ...state };
}

describe.each(connectionStatuses)('in %s', (status) => {
  test.each(Object.keys(events) as (keyof typeof events)[])('%s', (name) => {
    expect(transition(at(status), events[name], context).state.status).toBe(
      table[name][status] ?? status,
    );
  });
});

describe('transports', () => {
  const failed: MachineEvent = { type: 'failed', reached: false };

  test('the first round goes down the list at once, and then waits', () => {
    const second = transition(at('connecting'), failed, context);
    expect(second).toMatchObject({ state: { status: 'connecting', transport: 1 }, open: true });
    const third = transition(second.state, failed, context);
    expect(third).toMatchObject({ state: { status: 'connecting', transport: 2 }, open: true });
    const rest = transition(third.state, failed, context);
    expect(rest).toMatchObject({ state: { status: 'waiting', transport: 0 }, retryInMs: 250 });
  });

  test('one that worked is tried again before the list is begun anew', () => {
    let state = at('connected', { transport: 1, proven: 1 });
    state = transition(state, { type: 'lost', lastedMs: 60_000 }, context).state;
    const tried: number[] = [];
    for (let attempt = 0; attempt < provenRetries + 1; attempt++) {
      state = transition(state, { type: 'retry' }, context).state;
      tried.push(state.transport);
      state = transition(state, failed, context).state;
    }
    expect(tried).toEqual([1, 1, 0]);
  });

  test('what the server itself refused blames no transport', () => {
    const { state } = transition(at('connecting'), { type: 'failed', reached: true }, context);
    expect(state).toMatchObject({ status: 'waiting', transport: 0 });
  });

  test('one that connects and then carries nothing is left for the next', () => {
    const state = at('connected', { transport: 1, proven: 1 });
    expect(transition(state, events.stalled, context)).toEqual({
      state: { ...state, status: 'connecting', transport: 2, proven: undefined },
      close: true,
      open: true,
    });
    const last = at('connected', { transport: 2, proven: 2 });
    expect(transition(last, events.stalled, context)).toMatchObject({
      state: { status: 'waiting', transport: 0, proven: undefined },
      close: true,
    });
  });

  test('a server that asks for time gets it, and its other transports are not tried', () => {
    const state = at('connecting', { transport: 1 });
    const asked = { type: 'failed', reached: false, retryAfterMs: 5_000 } as const;
    expect(transition(state, asked, context)).toMatchObject({
      state: { status: 'waiting', transport: 0 },
      retryInMs: 5_250,
    });
    const proven = transition({ ...state, proven: 1 }, asked, context);
    expect(proven.state).toMatchObject({ transport: 1, proven: 1 });
  });

  test('an upgrade goes to the head of the list', () => {
    const state = at('connected', { transport: 2, proven: 2 });
    expect(transition(state, events.upgrade, context)).toMatchObject({
      state: { status: 'connecting', transport: 0 },
      close: true,
      open: true,
    });
  });
});

const anyEvent = fc.oneof(
  fc.constantFrom<MachineEvent>(...Object.values(events)),
  fc.record(
    { type: fc.constant('failed' as const), reached: fc.boolean(), retryAfterMs: fc.nat(120_000) },
    { requiredKeys: ['type', 'reached'] },
  ),
  fc.record({ type: fc.constant('lost' as const), lastedMs: fc.nat(100_000) }),
);

test('whatever happens: one connection at most (C1), and never given up (C2)', () => {
  fc.assert(
    fc.property(fc.array(anyEvent, { maxLength: 60 }), fc.nat(99), (sequence, seed) => {
      let state = initialMachineState;
      let isOpen = false;
      let hasTimer = false;
      for (const event of sequence) {
        const { state: next, ...effects } = transition(state, event, {
          ...context,
          random: () => seed / 100,
        });
        // The driver drops the timer whenever the state moves.
        if (next !== state) hasTimer = false;
        if (effects.close === true) isOpen = false;
        // What failed or was lost is closed by whoever reports it only through `close`.
        const isDoubled = effects.open === true && isOpen;
        isOpen ||= effects.open === true;
        if (effects.retryInMs !== undefined) hasTimer = true;
        state = next;
        const isLive = state.status === 'connecting' || state.status === 'connected';
        const isWaiting = state.status === 'waiting' || state.status === 'offline';
        expect({ isDoubled, isOpen, isStuck: isWaiting && !hasTimer }).toEqual({
          isDoubled: false,
          isOpen: isLive,
          isStuck: false,
        });
      }
    }),
  );
});

test('waits double up to the greatest and use their whole range (C3)', () => {
  fc.assert(
    fc.property(fc.nat(200), fc.double({ min: 0, max: 0.999, noNaN: true }), (attempts, random) => {
      const delayMs = backoffDelayMs(attempts, { ...context, random: () => random });
      const rangeMs = Math.min(20_000, 500 * 2 ** Math.min(attempts, 30));
      expect(delayMs).toBeCloseTo(random * rangeMs, 6);
    }),
  );
});
