import type { OpenApiPart } from '@holdfast/http';

/** Answers HTTP requests below a path, beside the methods of the API. */
export interface RequestHandler {
  /** `/api/inbox`: requests to it and below it. */
  readonly path: string;
  /**
   * Who sends them. `servers`: backends and workers, where the HTTP API is served. `users`: pages and
   * apps, on the port for clients; pages of `client.allowed_origins` may read the answers.
   */
  readonly audience: 'servers' | 'users';
  /** Undefined leaves the request to the handlers after it. Authenticates by itself; never rejects. */
  readonly handle: (request: Request) => Promise<Response | undefined>;
  /** Its part of the server's OpenAPI document. */
  readonly openApi?: OpenApiPart;
}
