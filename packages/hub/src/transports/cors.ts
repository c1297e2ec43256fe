import type { IncomingMessage, ServerResponse } from 'node:http';
import type { ConnectionGate } from '../connection-gate.ts';
import { refuse } from './http-refusal.ts';

/** How long browsers may remember the answer to a preflight, in seconds. */
const preflightMaxAge = '300';

/** Names the request's Origin as allowed, or answers 403 and returns false. */
export function allowOrigin(
  gate: ConnectionGate,
  { request, response }: { readonly request: IncomingMessage; readonly response: ServerResponse },
): boolean {
  const { origin } = request.headers;
  if (origin === undefined) return true;
  const problem = gate.originProblem(request);
  if (problem !== undefined) {
    // So that the page that was refused can read why; without credentials there is nothing to leak.
    refuse(response, { ...problem, headers: { 'Access-Control-Allow-Origin': '*' } });
    return false;
  }
  response.setHeader('Access-Control-Allow-Origin', origin);
  response.setHeader('Access-Control-Allow-Credentials', 'true');
  response.setHeader('Vary', 'Origin');
  return true;
}

export function preflight({
  request,
  response,
  methods,
}: {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly methods: string;
}): void {
  const headers = request.headers['access-control-request-headers'];
  response.writeHead(204, {
    'Access-Control-Allow-Methods': `${methods}, OPTIONS`,
    'Access-Control-Max-Age': preflightMaxAge,
    ...(headers === undefined ? {} : { 'Access-Control-Allow-Headers': headers }),
  });
  response.end();
}
