import { expect, vi } from 'vitest';
import type { TwoClients } from './two-clients.ts';

/** How long anything may take on a busy machine. */
export const patient = { timeout: 60_000, interval: 50 };

/** Resolves when both have exactly this, in this order. */
export function expectReceived(
  { received }: TwoClients,
  expected: readonly unknown[],
): Promise<void> {
  return vi.waitFor(() => expect(received).toEqual({ stock: expected, own: expected }), patient);
}
