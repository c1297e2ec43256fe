import { errorCodes, ReplyError } from '@holdfast/protocol';
import { parseJson } from './json-bytes.ts';

/**
 * What publications of which channels look like. `defineChannels` of `@holdfast/client/contract` makes
 * one that server and clients share.
 */
export interface PublicationContract {
  /** Whether it says anything about a channel; publications of others are not looked at. */
  describes(channel: string): boolean;
  /** What is wrong with data for a channel that it describes, in words; empty when nothing is. */
  problems(channel: string, data: unknown): Promise<readonly string[]>;
}

/** Problems are the words of schemas; a client needs the first of them, not a page. */
const maxMessageLength = 500;

/** Why data must not be published; undefined when it may be, and without a contract always. */
export async function contractProblem(
  contract: PublicationContract | undefined,
  channel: string,
  data: Uint8Array,
): Promise<ReplyError | undefined> {
  if (contract?.describes(channel) !== true) return undefined;
  const problems = await problemsOf(contract, channel, data);
  if (problems.length === 0) return undefined;
  const { code, message } = errorCodes.badRequest;
  return new ReplyError(code, `${message}: ${problems.join('; ')}`.slice(0, maxMessageLength));
}

async function problemsOf(
  contract: PublicationContract,
  channel: string,
  data: Uint8Array,
): Promise<readonly string[]> {
  const value = parseJson(data);
  return value === undefined ? ['the data is not JSON'] : contract.problems(channel, value);
}
