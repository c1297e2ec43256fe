import { IncomingMessage } from 'node:http';
import { strippedUpgrade, type StrippedUpgrade } from './stripped-upgrade.ts';

/**
 * The request class of a `node:http` server that rescues stripped WebSocket handshakes: give it as
 * the option `IncomingMessage` of `createServer`. A handshake whose `Upgrade` header a proxy removed
 * then becomes an `upgrade` event, with its headers made whole, where that is safe
 * ({@link StrippedUpgrade.isRescuable}); all else is as ever.
 *
 * Node's parser asks each request `upgrade` once, when its headers are complete, and what it is told
 * decides whether the socket is handed over. That is the one moment at which a rescue is possible:
 * when a request event comes the socket belongs to the response.
 */
export class HandshakeMessage extends IncomingMessage {
  // Only declared: the constructor above already assigns `upgrade`, before fields would be set.
  declare private isUpgrade: boolean;
  declare private isDecided: true | undefined;
  declare rescuedFrom: StrippedUpgrade | undefined;

  get upgrade(): boolean {
    if (this.isDecided === undefined) {
      this.isDecided = true;
      if (!this.isUpgrade) this.isUpgrade = this.#rescue();
    }
    return this.isUpgrade;
  }

  set upgrade(value: boolean) {
    this.isUpgrade = value;
  }

  #rescue(): boolean {
    const stripped = strippedUpgrade(this);
    if (stripped?.isRescuable !== true) return false;
    this.rescuedFrom = stripped;
    this.headers.upgrade = 'websocket';
    this.headers.connection = 'Upgrade';
    return true;
  }
}

/** What was wrong with a handshake before it was rescued; undefined when nothing was. */
export function rescuedFrom(request: IncomingMessage): StrippedUpgrade | undefined {
  return request instanceof HandshakeMessage ? request.rescuedFrom : undefined;
}
