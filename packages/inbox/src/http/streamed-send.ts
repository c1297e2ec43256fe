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
  const first = await lines.next();
  if (first.done === true) throw new InvalidRequest('the body is empty');
  const content = parseJson(first.value, streamedSendRequest);
  return { ...content, to: { users: readUsers(lines, maxRecipients) } } as SendRequest;
}

async function* readUsers(
  lines: AsyncGenerator<string>,
  maxRecipients: number,
): AsyncGenerator<string> {
  let count = 0;
  for await (const line of lines) {
    count += 1;
    if (count > maxRecipients) {
      throw new InvalidRequest(`a send can have ${maxRecipients} recipients`);
    }
    yield parseUser(line, count);
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
