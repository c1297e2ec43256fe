import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface Asked {
  readonly hook: string;
  readonly headers: IncomingHttpHeaders;
  /** The body as it came. */
  readonly text: string;
  readonly body: Record<string, unknown>;
}

/** What a backend answers: JSON, raw text, a status (a number), or nothing at all (undefined). */
export type Answers = Record<string, (asked: Asked) => object | string | number | undefined>;

export interface Backend extends AsyncDisposable {
  readonly asked: Asked[];
  readonly answers: Answers;
  /** The endpoint of one hook: its name is the path. */
  url(hook: string): string;
}

/** A backend on a free port of 127.0.0.1, with a path for each hook. */
export async function startBackend(answers: Answers): Promise<Backend> {
  const asked: Asked[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const hook = (request.url ?? '').slice(1);
      const text = Buffer.concat(chunks).toString();
      const body = JSON.parse(text) as Record<string, unknown>;
      const question = { hook, headers: request.headers, text, body };
      asked.push(question);
      const answer = answers[hook]?.(question);
      if (typeof answer === 'number') response.writeHead(answer).end();
      else if (typeof answer === 'string') response.end(answer);
      else if (answer !== undefined) response.end(JSON.stringify(answer));
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    asked,
    answers,
    url: (hook: string) => `http://127.0.0.1:${port}/${hook}`,
    async [Symbol.asyncDispose]() {
      server.close();
      server.closeAllConnections();
    },
  };
}
