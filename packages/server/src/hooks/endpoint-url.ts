/** What may be shown of a URL in logs and errors: no credentials, no query, no fragment. */
export function displayUrl(url: URL): string {
  return `${url.protocol}//${url.host}${url.pathname}`;
}

/**
 * Parses the URL of a hook.
 * @throws Error that says what is wrong without quoting credentials.
 */
export function parseEndpoint(endpoint: string, key: string): URL {
  if (/^grpc:/i.test(endpoint)) {
    throw new Error(
      `${key}: hooks over gRPC are not supported; give an http:// or https:// address`,
    );
  }
  if (!URL.canParse(endpoint)) {
    throw new Error(`${key}: not a URL; give an address such as http://127.0.0.1:3000/hooks`);
  }
  const url = new URL(endpoint);
  if (url.protocol !== 'http:' && url.protocol !== 'https:') {
    throw new Error(`${key}: must begin with http:// or https://, not ${url.protocol}`);
  }
  return url;
}

/** The header that user and password of a URL stand for. */
export function basicAuthorization(url: URL): string | undefined {
  if (url.username === '' && url.password === '') return undefined;
  const credentials = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`;
  return `Basic ${Buffer.from(credentials).toString('base64')}`;
}
