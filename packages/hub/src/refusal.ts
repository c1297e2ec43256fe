import { Disconnect, ReplyError } from '@holdfast/protocol';

/** Why a command did not succeed: an error answers it, a disconnect ends the connection. */
export type Refusal = ReplyError | Disconnect;

export function isRefusal(value: unknown): value is Refusal {
  return value instanceof ReplyError || value instanceof Disconnect;
}
