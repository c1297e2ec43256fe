import { InvalidRequest, parseJson, readLines } from '@holdfast/http';
import { checkId } from '../notification.ts';
import type { SendRequest } from '../sends.ts';
import { streamedSendRequest } from './schemas.ts';

/**
 * A send to many: the request without `to` on the first line, then one user id (a JSON string) on
 * each. The users are read while they are sent to.
 * @throws {@link InvalidRequest}
 */
export async function readStreamedSend(
  request: Request,
  maxRecipients: number,
): Promise<SendRequest> {
  const lines = readLines(request);
  const users = new StreamedUsers(lines, maxRecipients);
  const first = await lines.next();
  if (first.done === true) throw new InvalidRequest('the body is empty');
  try {
    const content = parseJson(first.value, streamedSendRequest);
    return { ...content, to: { users } } as SendRequest;
  } catch (error) {
    await users.finish();
    throw error;
  }
}

/**
 * Reads what a send leaves of its recipients, when it is refused or was done before. Somebody who is
 * still writing does not see an answer, but a connection that broke, and would repeat it for ever.
 */
export async function finishStream({ to }: SendRequest): Promise<void> {
  if ('users' in to && to.users instanceof StreamedUsers) await to.users.finish();
}

/** The recipients, of which any part can be read: leaving them early does not end the body. */
class StreamedUsers implements AsyncIterable<string> {
  readonly #lines: AsyncGenerator<string>;
  readonly #max: number;
  #count = 0;

  constructor(lines: AsyncGenerator<string>, max: number) {
    this.#lines = lines;
    this.#max = max;
  }

  [Symbol.asyncIterator](): AsyncIterator<string> {
    return { next: () => this.#next() };
  }

  /** Never rejects. */
  async finish(): Promise<void> {
    try {
      while (this.#count <= this.#max && (await this.#lines.next()).done !== true) this.#count += 1;
      await this.#lines.return(undefined);
    } catch {
      // Nobody is there any more, or sends something else than lines.
    }
  }

  async #next(): Promise<IteratorResult<string>> {
    const line = await this.#lines.next();
    if (line.done === true) return line;
    this.#count += 1;
    if (this.#count > this.#max) {
      throw new InvalidRequest(`a send can have ${this.#max} recipients`);
    }
    return { done: false, value: parseUser(line.value, this.#count) };
  }
}

function parseUser(line: string, number: number): string {
  let user: unknown;
  try {
    user = JSON.parse(line);
  } catch {
    user = undefined;
  }
  if (typeof user === 'string') return checkId(`recipient ${number}`, user);
  throw new InvalidRequest(`recipient ${number} must be a line with a JSON string`);
}
