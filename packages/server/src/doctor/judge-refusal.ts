import { disconnectCodes, errorCodes } from '@holdfast/protocol';
import type { Finding } from './finding.ts';
import { printable } from './judge-handshake.ts';

/** What the server says where it lets nobody in because of the token. */
const ofTokens: ReadonlySet<number> = new Set([
  disconnectCodes.invalidToken.code,
  disconnectCodes.expired.code,
  errorCodes.tokenExpired.code,
  errorCodes.expired.code,
]);

/** Says why the server did not let the doctor in: the way to it is open. */
export function judgeRefusal(
  { code, message }: { readonly code: number; readonly message: string },
  hasToken: boolean,
): Finding {
  const evidence = `the server answered: ${code} ${printable(message)}`;
  if (!hasToken && code === disconnectCodes.badRequest.code) {
    return {
      status: 'warn',
      evidence,
      cause: 'The path works in both directions, but anonymous clients may not connect.',
      mend: 'Give a token for the remaining checks: --token "$(holdfast token create --user doctor)"',
    };
  }
  if (hasToken && ofTokens.has(code)) {
    return {
      status: 'fail',
      evidence,
      cause: 'The token was refused.',
      mend: 'holdfast token check says what is wrong with it.',
    };
  }
  return {
    status: hasToken ? 'fail' : 'warn',
    evidence,
    cause: 'The path works in both directions, but the server does not want this client.',
    mend: 'Look at its limits (client.user_connection_limit, client.connection_limit), at blocked users, and at what the hook client.proxy.connect answers.',
  };
}
