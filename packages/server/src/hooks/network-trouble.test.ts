import { expect, test } from 'vitest';
import { describeNetworkError } from './network-trouble.ts';

test.each([
  ['ECONNREFUSED', 'nothing accepts connections there'],
  ['ENOTFOUND', 'the host name does not exist'],
  ['EAI_AGAIN', 'the host name cannot be resolved right now'],
  ['EHOSTUNREACH', 'there is no route to the host'],
  ['EMFILE', 'this process has no file descriptors left'],
  ['HPE_INVALID_CONSTANT', 'what is answered there is no valid HTTP/1.1'],
  ['ERR_SSL_WRONG_VERSION_NUMBER', 'no TLS is spoken there'],
  ['DEPTH_ZERO_SELF_SIGNED_CERT', "the backend's certificate is not accepted"],
  ['UNABLE_TO_VERIFY_LEAF_SIGNATURE', "the backend's certificate is not accepted"],
  ['ERR_TLS_CERT_ALTNAME_INVALID', "the backend's certificate is not accepted"],
])('%s', (code, cause) => {
  const trouble = describeNetworkError(Object.assign(new Error('detail'), { code }));
  expect(trouble.cause).toBe(`${cause} (${code})`);
  expect(trouble.advice).not.toBe('');
});

test('an error without a known code speaks for itself', () => {
  expect(describeNetworkError(new Error('something new')).cause).toBe('something new');
});
