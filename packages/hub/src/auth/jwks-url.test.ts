import { describe, expect, test } from 'vitest';
import { createJwksUrlResolver } from './jwks-url.ts';
import { TokenOptionError } from './token-option-error.ts';
import { TokenRefusal } from './token-refusal.ts';

type Options = Parameters<typeof createJwksUrlResolver>[0];

function resolve(options: Options, claims: { iss?: string; aud?: readonly string[] }): string {
  const resolver = createJwksUrlResolver(options);
  const result = resolver({
    issuer: claims.iss,
    audiences: claims.aud ?? [],
    expiresAt: undefined,
    notBefore: undefined,
    identity: {},
  });
  if (result instanceof TokenRefusal) return result.reason;
  return `${result.url.href}${result.isHostTemplated ? ' (templated host)' : ''}`;
}

describe('a fixed endpoint', () => {
  test.each([
    'https://id.example/jwks',
    'https://10.0.0.1:8443/jwks?tenant=1',
    'http://localhost:8080/jwks',
    'http://127.0.0.1:8080/jwks',
    'http://[::1]:8080/jwks',
  ])('may be %s', (jwksPublicEndpoint) => {
    expect(resolve({ jwksPublicEndpoint }, {})).toBe(jwksPublicEndpoint);
  });

  test.each([
    ['http://id.example/jwks', /not https/],
    ['http://10.0.0.1/jwks', /not https/],
    ['http://localhost.example/jwks', /not https/],
    ['http://127.0.0.1.example/jwks', /not https/],
    ['file:///etc/passwd', /not https/],
    ['ftp://id.example/jwks', /not https/],
    ['id.example/jwks', /not a URL/],
    ['https://user:password@id.example/jwks', /user name or password/],
  ])('must not be %s', (jwksPublicEndpoint, message) => {
    expect(() => createJwksUrlResolver({ jwksPublicEndpoint })).toThrow(TokenOptionError);
    expect(() => createJwksUrlResolver({ jwksPublicEndpoint })).toThrow(message);
  });

  test('is not told with its password', () => {
    expect(() =>
      createJwksUrlResolver({ jwksPublicEndpoint: 'https://user:hunter2@id.example/jwks' }),
    ).toThrow(expect.objectContaining({ message: expect.not.stringContaining('hunter2') }));
  });
});

describe('a templated endpoint', () => {
  const options: Options = {
    jwksPublicEndpoint: 'https://id.example/{{realm}}/certs',
    issuerRegex: String.raw`https://id\.example/realms/(?P<realm>staff|customers)`,
  };

  test('takes its values from the issuer', () => {
    expect(resolve(options, { iss: 'https://id.example/realms/staff' })).toBe(
      'https://id.example/staff/certs',
    );
  });

  test.each([
    undefined,
    '',
    'https://id.example/realms/other',
    'https://id.example/realms/staff2',
    'https://evil.example/?https://id.example/realms/staff',
    'https://id.example/realms/staff/../../evil',
    'https://id.example/realms/staff\n',
    'https://id.example/realms/staff#@evil.example',
    'https://idXexample/realms/staff',
    `https://id.example/realms/${'staff'.repeat(1000)}`,
  ])('is reached by no other issuer, such as %j', (iss) => {
    expect(resolve(options, iss === undefined ? {} : { iss })).toBe('issuer');
  });

  test('needs the whole claim, also where alternatives or missing anchors would let a part do', () => {
    const loose = { ...options, issuerRegex: 'a(?<realm>staff)|b(?<other>x)' };
    expect(resolve(loose, { iss: 'astaff' })).toBe('https://id.example/staff/certs');
    expect(resolve(loose, { iss: 'astaff and more' })).toBe('issuer');
    expect(resolve(loose, { iss: 'bx' })).toBe('issuer');
  });

  test('does not look at claims that are too long to be matched fast', () => {
    const loose = { ...options, issuerRegex: '.*(?<realm>staff)' };
    expect(resolve(loose, { iss: `${'x'.repeat(507)}staff` })).toBe(
      'https://id.example/staff/certs',
    );
    expect(resolve(loose, { iss: `${'x'.repeat(508)}staff` })).toBe('issuer');
  });

  test('takes the first audience that matches', () => {
    const byAudience: Options = {
      jwksPublicEndpoint: 'https://id.example/{{app}}/{{realm}}/certs',
      issuerRegex: '(?<realm>staff)',
      audienceRegex: 'app:(?<app>web|phone)',
    };
    expect(resolve(byAudience, { iss: 'staff', aud: ['x', 'app:phone', 'app:web'] })).toBe(
      'https://id.example/phone/staff/certs',
    );
    expect(resolve(byAudience, { iss: 'staff', aud: ['x'] })).toBe('audience');
    expect(resolve(byAudience, { iss: 'staff' })).toBe('audience');
    expect(resolve(byAudience, { aud: ['app:web'] })).toBe('issuer');
  });

  test('says when a token chooses the host', () => {
    const byHost = { ...options, jwksPublicEndpoint: 'https://{{realm}}.example/certs' };
    expect(resolve(byHost, { iss: 'https://id.example/realms/staff' })).toBe(
      'https://staff.example/certs (templated host)',
    );
    const byPort: Options = {
      jwksPublicEndpoint: 'https://{{realm}}:{{realm}}@id.example/',
      issuerRegex: '(?<realm>a)',
    };
    expect(() => createJwksUrlResolver(byPort)).toThrow(/user name or password/);
  });

  test.each<[string, Partial<Options>, RegExp]>([
    ['no pattern', { issuerRegex: '' }, /needs a named group/],
    ['another group', { issuerRegex: '(?<tenant>a|b)' }, /\{\{realm\}\} needs a named group/],
    ['a group in both', { audienceRegex: '(?<realm>a)' }, /is a group of both/],
    ['anything', { issuerRegex: '(?<realm>.+)' }, /must list the values/],
    ['a class', { issuerRegex: '(?<realm>[a-z]+)' }, /must list the values/],
    ['nested groups', { issuerRegex: '(?<realm>(a|b))' }, /must list the values/],
    ['an empty alternative', { issuerRegex: '(?<realm>a|)' }, /must list the values/],
    ['dots', { issuerRegex: String.raw`(?<realm>a\.b)` }, /must list the values/],
    ['slashes', { issuerRegex: '(?<realm>a/b)' }, /must list the values/],
    ['a repeated group', { issuerRegex: '(x+)+(?<realm>a)' }, /must not repeat a group/],
    ['a repeated list', { issuerRegex: '(?<realm>a|b){9}' }, /must not repeat a group/],
    ['http', { jwksPublicEndpoint: 'http://id.example/{{realm}}' }, /not https/],
    ['a templated scheme', { jwksPublicEndpoint: '{{realm}}://id.example' }, /not https/],
  ])('is refused with %s', (_, change, message) => {
    expect(() => createJwksUrlResolver({ ...options, ...change })).toThrow(message);
  });

  test('with free values takes plain ones only', () => {
    const open: Options = {
      ...options,
      issuerRegex: 'https://id.example/realms/(?<realm>.*)',
      insecureSkipJwksEndpointSafetyCheck: true,
    };
    const issuer = 'https://id.example/realms/';
    expect(resolve(open, { iss: `${issuer}any-Thing_9` })).toBe(
      'https://id.example/any-Thing_9/certs',
    );
    for (const value of [
      '',
      '..',
      'a/b',
      'a%2fb',
      'a b',
      'a?b',
      'a#b',
      'ä',
      '@',
      'a'.repeat(129),
    ]) {
      expect(resolve(open, { iss: `${issuer}${value}` })).toBe('issuer');
    }
  });

  test('with free values that make no URL refuses the token', () => {
    const open: Options = {
      jwksPublicEndpoint: 'https://{{tenant}}/certs',
      issuerRegex: '(?<tenant>.*)',
      insecureSkipJwksEndpointSafetyCheck: true,
    };
    expect(resolve(open, { iss: '99999999999' })).toBe('issuer');
  });
});
