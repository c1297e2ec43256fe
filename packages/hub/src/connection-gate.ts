import type { IncomingMessage } from 'node:http';
import { disconnects } from '@holdfast/protocol';
import { AdmissionControl } from './admission-control.ts';
import type { ShutdownOptions } from './hub.ts';
import type { HandshakeQueue } from './handshake-queue.ts';
import type { HubContext } from './hub-context.ts';
import { compileOrigins } from './origins.ts';
import { Session } from './session.ts';
import type { HttpRefusal } from './transports/http-refusal.ts';
import { addressOf, ProxyFaults } from './transports/proxy-faults.ts';
import type { Transport } from './transports/transport.ts';

/** An Origin that can be repeated in an answer without harm: a scheme, a host and a port. */
const plainOrigin = /^[a-z][a-z0-9+.-]{0,31}:\/\/[\w.:[\]-]{1,255}$/i;

/** Time that is left for farewells after a drain. */
const farewellMs = 1_000;
/** How often a slice of the connections is closed in a drain. */
const drainSliceMs = 50;

/** The one door for connections of every transport: who may come in, and who is inside. */
export class ConnectionGate {
  readonly faults: ProxyFaults;
  readonly #hub: HubContext;
  #isOriginAllowed: (origin: string) => boolean;
  #admission: AdmissionControl;
  readonly #sessions = new Set<Session>();
  #whenEmpty: (() => void) | undefined;
  #isClosing = false;

  constructor(hub: HubContext) {
    this.#hub = hub;
    this.faults = new ProxyFaults(hub);
    this.#isOriginAllowed = compileOrigins(hub.options.allowedOrigins);
    this.#admission = new AdmissionControl(hub.options, hub.clock);
  }

  /** Reads the options of the hub anew. Who is inside stays. */
  reconfigure(): void {
    this.#isOriginAllowed = compileOrigins(this.#hub.options.allowedOrigins);
    this.#admission = new AdmissionControl(this.#hub.options, this.#hub.clock);
  }

  /** Why this request must not become a connection. Counts it as an attempt, so ask once. */
  refusalOf(request: IncomingMessage): HttpRefusal | undefined {
    if (this.#isClosing) {
      return {
        status: 503,
        code: 'shutting_down',
        message: 'this node is shutting down; connect again to reach another one',
        headers: { 'Retry-After': '1' },
      };
    }
    return (
      this.originProblem(request) ??
      this.#admission.refusal(this.#sessions.size) ??
      this.#overload()
    );
  }

  #overload(): HttpRefusal | undefined {
    const { door, handshakes } = this.#hub.admission;
    const queue = [door, handshakes].find((candidate) => candidate.isOverloaded());
    return queue === undefined ? undefined : this.overload(queue);
  }

  /** The answer to a newcomer for whom there is no room in a queue. */
  overload(queue: HandshakeQueue): HttpRefusal {
    return {
      status: 503,
      code: 'handshake_queue',
      message: 'more clients come at once than this node can connect in time; try again',
      headers: { 'Retry-After': String(queue.retryAfterSeconds()) },
    };
  }

  originProblem(request: IncomingMessage): HttpRefusal | undefined {
    const { origin } = request.headers;
    if (origin === undefined || this.#isOriginAllowed(origin)) return undefined;
    const named = origin.slice(0, 255);
    this.faults.report(addressOf(request), 'origin_refused', {
      scope: named,
      origin: named,
      host: request.headers.host?.slice(0, 255),
      message: "a request was refused: its Origin matches no pattern of 'client.allowed_origins'",
    });
    return {
      status: 403,
      code: 'origin_not_allowed',
      message: `${plainOrigin.test(origin) ? `the Origin ${origin}` : 'the Origin of this page'} is not allowed: add it to 'client.allowed_origins' of the server`,
    };
  }

  /** Makes a session of a connection. Its transport calls {@link leave} when the connection is gone. */
  enter(transport: Transport): Session {
    const session = new Session(this.#hub, transport);
    this.#sessions.add(session);
    this.#hub.metrics.connections = this.#sessions.size;
    this.#hub.metrics.connectionsOpened.add(transport.info.name);
    return session;
  }

  /** @param wasCut - the connection is gone without a farewell of the client */
  leave(session: Session, wasCut = false): void {
    if (wasCut) this.faults.cut(session);
    session.closed();
    this.#sessions.delete(session);
    this.#hub.metrics.connections = this.#sessions.size;
    if (this.#sessions.size === 0) this.#whenEmpty?.();
  }

  /**
   * Refuses newcomers, tells everybody to go, in the order in which they came and spread over the
   * window, and cuts those that have not gone in time.
   */
  async close({ timeoutMs, drainWindowMs }: Required<ShutdownOptions>): Promise<void> {
    this.#isClosing = true;
    const { clock } = this.#hub;
    const deadline = clock.monotonic() + timeoutMs;
    await this.#drain(Math.min(drainWindowMs, timeoutMs - farewellMs));
    if (this.#sessions.size > 0) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, Math.max(0, deadline - clock.monotonic()));
        this.#whenEmpty = () => {
          clearTimeout(timer);
          resolve();
        };
        for (const session of this.#sessions) session.close(disconnects.shutdown);
      });
    }
    for (const session of this.#sessions) session.transport.terminate();
  }

  /** Closes connections slice by slice; the last slice is left to the caller. */
  async #drain(windowMs: number): Promise<void> {
    const leaving = [...this.#sessions];
    if (windowMs <= 0 || leaving.length === 0) return;
    const { clock, logger } = this.#hub;
    logger.info(
      { connections: leaving.length, windowMs },
      "connections are closed one after the other, over 'shutdown.drain_window', so that their clients come back spread over that time",
    );
    const startedAt = clock.monotonic();
    let closed = 0;
    await new Promise<void>((resolve) => {
      const stop = clock.every(drainSliceMs, () => {
        const passed = (clock.monotonic() - startedAt) / windowMs;
        for (const session of leaving.slice(closed, Math.ceil(leaving.length * passed))) {
          session.close(disconnects.shutdown);
        }
        closed = Math.max(closed, Math.ceil(leaving.length * passed));
        if (passed < 1 && this.#sessions.size > 0) return;
        stop();
        resolve();
      });
    });
  }
}
