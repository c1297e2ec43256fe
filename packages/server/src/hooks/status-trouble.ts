import { displayUrl } from './endpoint-url.ts';
import type { HttpResponse } from './http-exchange.ts';

/** What a status other than 200 says, and what to do about it. */
export function describeStatus(
  response: HttpResponse,
  endpoint: URL,
): { readonly cause: string; readonly advice: string } {
  const { status, location } = response;
  if (status >= 300 && status < 400) {
    const target = URL.canParse(location, endpoint.href) ? new URL(location, endpoint) : undefined;
    const address = target === undefined ? '' : `, perhaps ${displayUrl(target)}`;
    return {
      cause: `it answers with a redirect (${status})`,
      advice: `Hooks follow no redirects: set the endpoint to the final address${address}.`,
    };
  }
  return { cause: `it answers with status ${status}`, advice: adviceFor(status) };
}

function adviceFor(status: number): string {
  if (status === 404 || status === 405) {
    return 'Check the path of the endpoint; hooks are sent with POST.';
  }
  if (status === 401 || status === 403) {
    return 'If this is an answer to the client, map it with http.status_to_code_transforms; otherwise let hooks in, for instance with http.static_headers.';
  }
  if (status >= 500) return 'Look into the log of the backend.';
  return 'Answer hooks with status 200, or map the status with http.status_to_code_transforms.';
}
