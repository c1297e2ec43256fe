import { createHmac } from 'node:crypto';

/** Shared by the server process and its generator; worth nothing outside of them. */
export const tokenSecret = 'only for the benchmark, thirty-two bytes or more';

function base64url(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}

const head = base64url({ alg: 'HS256', typ: 'JWT' });

/** A connection token (HS256) of an own user, valid for an hour. */
export function connectionToken(subscriber: number): string {
  const now = Math.floor(Date.now() / 1_000);
  const claims = base64url({ sub: `user-${subscriber}`, iat: now, exp: now + 3_600 });
  const signed = `${head}.${claims}`;
  return `${signed}.${createHmac('sha256', tokenSecret).update(signed).digest('base64url')}`;
}
