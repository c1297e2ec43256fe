import type { Clock } from '@holdfast/hub';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { CircuitBreaker, type CircuitPermit } from './circuit-breaker.ts';

class ManualClock implements Clock {
  ms = 0;
  now = () => this.ms;
  monotonic = () => this.ms;
  every = () => () => undefined;
}

const options = { failureThreshold: 3, openMs: 1_000, maxOpenMs: 4_000 };

function breaker(overrides: Partial<typeof options> = {}) {
  const clock = new ManualClock();
  return { clock, circuit: new CircuitBreaker({ ...options, ...overrides }, clock) };
}

function fail(circuit: CircuitBreaker, times: number): void {
  for (let i = 0; i < times; i++) circuit.failed(circuit.enter() ?? 0);
}

describe('circuit breaker', () => {
  test('opens after failures in a row, not before', () => {
    const { circuit } = breaker();
    fail(circuit, 2);
    expect(circuit.state).toBe('closed');
    circuit.succeeded();
    fail(circuit, 2);
    expect(circuit.state).toBe('closed');
    fail(circuit, 1);
    expect(circuit.state).toBe('open');
    expect(circuit.enter()).toBeUndefined();
    expect(circuit.retryAfterMs).toBe(1_000);
  });

  test('lets one probe through, whose success closes', () => {
    const { circuit, clock } = breaker();
    fail(circuit, 3);
    clock.ms = 999;
    expect(circuit.enter()).toBeUndefined();
    clock.ms = 1_000;
    expect(circuit.enter()).toBeGreaterThan(0);
    expect(circuit.state).toBe('half_open');
    expect(circuit.enter()).toBeUndefined();
    circuit.succeeded();
    expect(circuit.enter()).toBe(0);
  });

  test('waits twice as long after each failed probe, up to the limit', () => {
    const { circuit, clock } = breaker();
    fail(circuit, 3);
    const waits: number[] = [];
    for (let i = 0; i < 4; i++) {
      waits.push(circuit.retryAfterMs);
      clock.ms += circuit.retryAfterMs;
      fail(circuit, 1);
    }
    expect(waits).toEqual([1_000, 2_000, 4_000, 4_000]);
    clock.ms += 4_000;
    circuit.enter();
    circuit.succeeded();
    fail(circuit, 3);
    expect(circuit.retryAfterMs).toBe(1_000);
  });

  test('late results of earlier calls neither extend nor steal the probe', () => {
    const { circuit, clock } = breaker();
    const early = circuit.enter() as CircuitPermit;
    fail(circuit, 3);
    clock.ms = 1_000;
    expect(circuit.enter()).toBeGreaterThan(0);
    circuit.failed(early);
    expect(circuit.state).toBe('half_open');
    circuit.succeeded();
    expect(circuit.state).toBe('closed');
  });

  test('an abandoned probe lets the next call probe at once', () => {
    const { circuit, clock } = breaker();
    fail(circuit, 3);
    clock.ms = 1_000;
    circuit.abandoned(circuit.enter() as CircuitPermit);
    expect(circuit.enter()).toBeGreaterThan(0);
  });

  test('a threshold of 0 never opens', () => {
    const { circuit } = breaker({ failureThreshold: 0 });
    fail(circuit, 1_000);
    expect(circuit.enter()).toBe(0);
  });

  test('whatever happens: one probe at most, and an open circuit ends', () => {
    const step = fc.oneof(
      fc.record({ type: fc.constant('call' as const) }),
      fc.record({
        type: fc.constantFrom('succeed' as const, 'fail' as const, 'abandon' as const),
        which: fc.nat(),
      }),
      fc.record({ type: fc.constant('wait' as const), ms: fc.nat(5_000) }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const { circuit, clock } = breaker();
        const underWay: CircuitPermit[] = [];
        const violations: string[] = [];
        let newestProbe = 0;
        for (const step of steps) {
          if (step.type === 'call') {
            const permit = circuit.enter();
            if (permit === undefined) continue;
            // A probe is only given when no other one that counts is under way.
            if (permit > 0 && permit !== newestProbe + 1) violations.push('two probes');
            newestProbe = Math.max(newestProbe, permit);
            underWay.push(permit);
          } else if (step.type === 'wait') {
            clock.ms += step.ms;
          } else if (underWay.length > 0) {
            const [permit] = underWay.splice(step.which % underWay.length, 1);
            if (step.type === 'succeed') circuit.succeeded();
            else if (step.type === 'fail') circuit.failed(permit as CircuitPermit);
            else circuit.abandoned(permit as CircuitPermit);
          }
          const isProbing = underWay.includes(newestProbe);
          if (circuit.state === 'half_open' && !isProbing) violations.push('stuck half open');
        }
        expect(violations).toEqual([]);
        for (const permit of underWay) circuit.failed(permit);
        clock.ms += options.maxOpenMs;
        expect(circuit.enter()).toBeDefined();
        circuit.succeeded();
        expect(circuit.state).toBe('closed');
        expect(circuit.enter()).toBe(0);
      }),
    );
  });
});
