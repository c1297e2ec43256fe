import { randomUUID } from 'node:crypto';
import type { Bytes, ClientInfo } from '@holdfast/protocol';

/** Where a port's contract suite runs: one backing service, and nodes that use it together. */
export interface PortTestbed<Port> extends AsyncDisposable {
  /** The port of one more node, not started. Closed with the testbed, if it has not been before. */
  addNode(): Promise<Port>;
  /**
   * Makes everything expire whose TTL is not above `ms`, by moving an injected clock or by waiting.
   * The suites ask for a few seconds at most.
   */
  advance(ms: number): Promise<void>;
}

/** A testbed of a port that tells its node when deliveries may have been lost. */
export interface LinkedTestbed<Port> extends PortTestbed<Port> {
  /**
   * Breaks the link between one started node and the backing service, and resolves when it works
   * again.
   */
  breakLink(port: Port): Promise<void>;
}

/** A name that no other test uses, so that suites can run on a service that is not empty. */
export function uniqueName(label: string): string {
  return `${label}:${randomUUID()}`;
}

export function bytes(text: string): Bytes {
  return new TextEncoder().encode(text);
}

export function text(data: Bytes | undefined): string {
  return new TextDecoder().decode(data);
}

/** A client's info as the hub makes it. */
export function clientInfo(client: string, user = 'user'): ClientInfo {
  return { user, client, conn_info: bytes(`{"name":"${user}"}`) };
}
