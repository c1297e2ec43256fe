import { createHmac } from 'node:crypto';
import { expect, test } from 'vitest';
import { WebhookSigner } from './webhook-signature.ts';

const body = Buffer.from('{"events":[]}');

/** As a receiver would: over the headers as they came and the body as it came. */
function verify(key: Buffer, headers: Readonly<Record<string, string>>, received: Buffer): boolean {
  const signed = `${headers['webhook-id']}.${headers['webhook-timestamp']}.${received.toString()}`;
  const expected = createHmac('sha256', key).update(signed).digest('base64');
  return headers['webhook-signature'] === `v1,${expected}`;
}

test('id, timestamp and body are signed', () => {
  const headers = new WebhookSigner('secret').headers('msg_1', 1_700_000_000, body);
  const key = Buffer.from('secret');
  expect(headers).toMatchObject({ 'webhook-id': 'msg_1', 'webhook-timestamp': '1700000000' });
  expect(verify(key, headers, body)).toBe(true);
  expect(verify(key, { ...headers, 'webhook-id': 'msg_2' }, body)).toBe(false);
  expect(verify(key, { ...headers, 'webhook-timestamp': '1700000001' }, body)).toBe(false);
  expect(verify(key, headers, Buffer.from('{"events":[1]}'))).toBe(false);
  expect(verify(Buffer.from('other'), headers, body)).toBe(false);
});

test('a key behind whsec_ is base64', () => {
  const key = Buffer.from([1, 2, 3, 255]);
  const signer = new WebhookSigner(`whsec_${key.toString('base64')}`);
  expect(verify(key, signer.headers('msg_1', 1, body), body)).toBe(true);
});

test('is the signature of the specification’s own example', () => {
  const signer = new WebhookSigner('whsec_plJ3nmyCDGBKInavdOK15jsl');
  const payload = '{"event_type":"ping","data":{"success":true}}';
  const headers = signer.headers('msg_loFOjxBNrRLzqYUf', 1_731_705_121, payload);
  expect(headers['webhook-signature']).toBe('v1,rAvfW3dJ/X/qxhsaXPOyyCGmRKsaKWcsNccKXlIktD0=');
  const signed = `msg_loFOjxBNrRLzqYUf.1731705121.${payload}`;
  expect(signer.verifies(signed, `v1,other ${headers['webhook-signature'] ?? ''}`)).toBe(true);
  expect(signer.verifies(`${signed} `, headers['webhook-signature'] ?? '')).toBe(false);
});
