import { Disconnect, disconnects, errorCodes, ReplyError } from '@holdfast/protocol';

/** Why a command did not succeed: an error answers it, a disconnect ends the connection. */
export type Refusal = ReplyError | Disconnect;

export function isRefusal(value: unknown): value is Refusal {
  return value instanceof ReplyError || value instanceof Disconnect;
}

/** How a client that takes no replies learns of an error: its connection ends. */
export function disconnectFor({ code }: ReplyError): Disconnect {
  switch (code) {
    case errorCodes.tokenExpired.code:
    case errorCodes.expired.code:
      return disconnects.expired;
    case errorCodes.tooManyRequests.code:
      return disconnects.tooManyRequests;
    case errorCodes.permissionDenied.code:
      return disconnects.permissionDenied;
    case errorCodes.unknownChannel.code:
    case errorCodes.badRequest.code:
      return disconnects.badRequest;
    default:
      return disconnects.serverError;
  }
}
