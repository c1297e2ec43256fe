/** Why a body was not read. */
export type BodyRefusal = 'too_large' | 'encoded' | 'aborted';

/**
 * Reads a request body of at most `maxBytes`. A longer one is refused as soon as that is known, by
 * its declared length before anything is read, and a compressed one always: what it would grow to is
 * the sender's secret.
 */
export async function readBody(
  request: Request,
  maxBytes: number,
): Promise<Uint8Array | BodyRefusal> {
  const encoding = request.headers.get('content-encoding') ?? 'identity';
  if (encoding.toLowerCase() !== 'identity') return 'encoded';
  if (Number(request.headers.get('content-length') ?? 0) > maxBytes) return 'too_large';
  if (!request.body) return new Uint8Array();
  const chunks: Uint8Array[] = [];
  let total = 0;
  try {
    for await (const chunk of request.body) {
      total += chunk.length;
      if (total > maxBytes) return 'too_large';
      chunks.push(chunk);
    }
  } catch {
    return 'aborted';
  }
  return chunks.length === 1 && chunks[0] ? chunks[0] : Buffer.concat(chunks, total);
}
