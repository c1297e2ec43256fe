/**
 * When a client connects, over which transport, and how long it waits: pure, see
 * `client-connection.spec.md` for the table of states and events.
 *
 * ```
 * idle ─connect→ connecting ─opened→ connected ─lost→ waiting ─retry→ connecting …
 *                    │ failed: next transport at once, after the last one: waiting
 * any ─offline→ offline ─online→ waiting     any ─suspend→ suspended ─resume→ connecting
 * connecting, connected ─refused→ refused ─connect→ connecting       any ─disconnect→ idle
 * ```
 *
 * @module
 */

export const connectionStatuses = [
  'idle',
  'connecting',
  'connected',
  'waiting',
  'offline',
  'suspended',
  'refused',
] as const;
/**
 * `idle`: not asked to connect. `waiting`: between two attempts. `offline`: the device has no
 * network. `suspended`: the page is frozen or in the back/forward cache. `refused`: the server said
 * that trying again is useless; only `connect` or a new token starts another attempt.
 */
export type ConnectionStatus = (typeof connectionStatuses)[number];

export interface MachineState {
  readonly status: ConnectionStatus;
  /** Place of the current or next attempt's transport in the list. */
  readonly transport: number;
  /** The transport that worked last; it is tried first until it fails {@link provenRetries} times. */
  readonly proven: number | undefined;
  /** Failed attempts since a connection lasted {@link BackoffOptions.stableMs}. */
  readonly attempts: number;
}

export type MachineEvent =
  | { readonly type: 'connect' | 'disconnect' | 'opened' | 'refused' | 'retry' }
  | { readonly type: 'offline' | 'online' | 'wake' | 'suspend' | 'resume' }
  /**
   * The attempt failed; `reached` when it was the server that said so, over a transport that works;
   * `retryAfterMs` when it asked to be left alone for that long.
   */
  | { readonly type: 'failed'; readonly reached: boolean; readonly retryAfterMs?: number }
  /** Connected, but nothing comes through: something on the way collects what it should pass on. */
  | { readonly type: 'stalled' }
  /** The connection ended after it had lasted this long. */
  | { readonly type: 'lost'; readonly lastedMs: number }
  /** Begin anew at once: a new token, or (`upgrade`) the best transport has become available. */
  | { readonly type: 'restart'; readonly upgrade: boolean };

/** What the driver has to do, in this order: first close what is open. */
export interface Effects {
  readonly close?: true;
  /** Start an attempt over `transport`. */
  readonly open?: true;
  /** Send `retry` after this time. */
  readonly retryInMs?: number;
  /** Find out whether the connection is alive. */
  readonly check?: true;
}

export interface Step extends Effects {
  readonly state: MachineState;
}

/** Pauses between attempts to connect: full jitter below a limit that doubles. */
export interface BackoffOptions {
  /** @defaultValue 500 */
  readonly minDelayMs: number;
  /** @defaultValue 20000 */
  readonly maxDelayMs: number;
  /** A connection that lasted this long starts the backoff anew when it ends. @defaultValue 10000 */
  readonly stableMs: number;
}

export interface MachineContext {
  readonly transports: number;
  readonly backoff: BackoffOptions;
  /** In [0, 1). */
  readonly random: () => number;
}

export const initialMachineState: MachineState = {
  status: 'idle',
  transport: 0,
  proven: undefined,
  attempts: 0,
};

/** How often a transport that worked before is tried again before the list is begun anew. */
export const provenRetries = 2;

/** Full jitter: ten thousand clients that were cut in one moment come back over the whole range. */
export function backoffDelayMs(attempts: number, { backoff, random }: MachineContext): number {
  const { minDelayMs, maxDelayMs } = backoff;
  return random() * Math.min(maxDelayMs, minDelayMs * 2 ** Math.min(attempts, 30));
}

/** One step of the machine. An event that means nothing in a state changes nothing. */
export function transition(
  state: MachineState,
  event: MachineEvent,
  context: MachineContext,
): Step {
  const { status } = state;
  const isTrying = status === 'connecting' || status === 'connected' || status === 'waiting';
  switch (event.type) {
    case 'connect':
      return status === 'idle' || status === 'refused'
        ? open({ ...state, attempts: 0 })
        : { state };
    case 'disconnect':
      return status === 'idle' ? { state } : { state: { ...initialMachineState }, close: true };
    case 'opened':
      if (status !== 'connecting') return { state };
      return { state: { ...state, status: 'connected', proven: state.transport } };
    case 'failed':
      return status === 'connecting' ? afterFailure(state, event, context) : { state };
    case 'stalled':
      return status === 'connected'
        ? nextTransport({ ...state, proven: undefined }, context)
        : { state };
    case 'lost': {
      if (status !== 'connected') return { state };
      const attempts = event.lastedMs >= context.backoff.stableMs ? 0 : state.attempts;
      return wait({ ...state, attempts }, context);
    }
    case 'refused':
      if (status !== 'connecting' && status !== 'connected') return { state };
      return { state: { ...state, status: 'refused' }, close: true };
    case 'retry':
      return status === 'waiting' || status === 'offline' ? open(state) : { state };
    case 'offline':
      if (!isTrying) return { state };
      // The platform may be wrong about its network: there is a next attempt even so.
      return {
        state: { ...state, status: 'offline' },
        close: true,
        retryInMs: context.backoff.maxDelayMs,
      };
    case 'online':
      if (status === 'connected') return { state, check: true };
      if (status !== 'offline' && status !== 'waiting') return { state };
      return {
        state: { ...state, status: 'waiting', attempts: 0 },
        retryInMs: context.random() * context.backoff.minDelayMs,
      };
    case 'wake':
      if (status === 'connected') return { state, check: true };
      return status === 'waiting' ? open(state) : { state };
    case 'suspend':
      if (!isTrying && status !== 'offline') return { state };
      return { state: { ...state, status: 'suspended' }, close: true };
    case 'resume':
      return status === 'suspended' ? open(state) : { state };
    case 'restart': {
      if (status === 'refused' && !event.upgrade) return open({ ...state, attempts: 0 });
      if (!isTrying) return { state };
      const next = event.upgrade ? { ...state, transport: 0, proven: undefined } : state;
      return { ...open(next), close: true };
    }
  }
}

function open(state: MachineState): Step {
  return { state: { ...state, status: 'connecting' }, open: true };
}

function wait(state: MachineState, context: MachineContext, atLeastMs = 0): Step {
  const retryInMs = atLeastMs + backoffDelayMs(state.attempts, context);
  return {
    state: { ...state, status: 'waiting', attempts: state.attempts + 1 },
    close: true,
    retryInMs,
  };
}

function afterFailure(
  state: MachineState,
  { reached, retryAfterMs }: MachineEvent & { readonly type: 'failed' },
  context: MachineContext,
): Step {
  const { proven, attempts } = state;
  // Said by a server or a proxy that has too much to do: other transports would only add to it.
  if (retryAfterMs !== undefined) {
    return wait({ ...state, transport: proven ?? 0 }, context, retryAfterMs);
  }
  if (reached) return wait(state, context);
  if (proven === undefined) return nextTransport(state, context);
  const isWornOut = attempts >= provenRetries;
  return wait(isWornOut ? { ...state, proven: undefined, transport: 0 } : state, context);
}

function nextTransport(state: MachineState, context: MachineContext): Step {
  const next = state.transport + 1;
  if (next < context.transports) return { ...open({ ...state, transport: next }), close: true };
  return wait({ ...state, transport: 0 }, context);
}
