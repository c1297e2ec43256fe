import { describe, expect, test } from 'vitest';
import { AdminSessions, type AdminSessionsOptions } from './admin-sessions.ts';
import { TicketSigner } from './signed-ticket.ts';

function createSessions(options: Partial<AdminSessionsOptions> = {}) {
  let now = 1_000_000;
  const sessions = new AdminSessions({ secret: 'secret', now: () => now, ...options });
  return {
    sessions,
    pass: (ms: number) => {
      now += ms;
    },
    open: () => {
      const signIn = sessions.signInWithCode(sessions.issueCode());
      if (signIn.kind !== 'signed_in') throw new Error(signIn.kind);
      return signIn;
    },
  };
}

describe('the code of the sign-in link', () => {
  test('opens one session, once', () => {
    const { sessions } = createSessions();
    const code = sessions.issueCode();
    const signIn = sessions.signInWithCode(code);
    expect(signIn.kind).toBe('signed_in');
    expect(sessions.signInWithCode(code)).toEqual({ kind: 'wrong' });
  });

  test('expires', () => {
    const { sessions, pass } = createSessions({ codeTtlMs: 1_000 });
    const code = sessions.issueCode();
    pass(1_000);
    expect(sessions.signInWithCode(code)).toEqual({ kind: 'wrong' });
  });

  test('a guess does not use it up', () => {
    const { sessions } = createSessions();
    const code = sessions.issueCode();
    for (const guess of ['', 'x', `${code}x`, code.slice(1)]) {
      expect(sessions.signInWithCode(guess)).toEqual({ kind: 'wrong' });
    }
    expect(sessions.signInWithCode(code).kind).toBe('signed_in');
  });
});

describe('the password', () => {
  test('signs in when there is one', () => {
    const { sessions } = createSessions({ password: 'p' });
    expect(sessions.signInWithPassword('p').kind).toBe('signed_in');
    expect(sessions.signInWithPassword('q')).toEqual({ kind: 'wrong' });
    expect(createSessions().sessions.signInWithPassword('')).toEqual({ kind: 'wrong' });
  });

  test('cannot be guessed by trying: the eleventh attempt of a minute has to wait', () => {
    const { sessions, pass } = createSessions({ password: 'p' });
    for (let attempt = 0; attempt < 10; attempt += 1) sessions.signInWithPassword('wrong');
    pass(20_000);
    expect(sessions.signInWithPassword('p')).toEqual({
      kind: 'too_many_attempts',
      retryAfterSeconds: 40,
    });
    pass(40_000);
    expect(sessions.signInWithPassword('p').kind).toBe('signed_in');
  });
});

describe('a session', () => {
  test('is valid until it expires, also after a restart', () => {
    const { sessions, open, pass } = createSessions({ sessionTtlMs: 1_000 });
    const { session, ticket } = open();
    expect(sessions.verify(session)).toEqual(ticket);
    expect(createSessions().sessions.verify(session)).toEqual(ticket);
    pass(1_000);
    expect(sessions.verify(session)).toBeUndefined();
  });

  test('ends when it is signed out, with its connection tickets', () => {
    const { sessions, open } = createSessions();
    const { session, ticket } = open();
    const connection = sessions.connectionTicket(ticket);
    sessions.signOut(ticket);
    expect(sessions.verify(session)).toBeUndefined();
    expect(sessions.verifyConnectionTicket(connection)).toBeUndefined();
  });

  test('cannot be forged, bent, or used for something else', () => {
    const { sessions, open } = createSessions();
    const { session, ticket } = open();
    const [id, expiry = '', mac] = session.split('.');
    const forged = [
      '',
      'a.b.c',
      session.slice(0, -1),
      `${session}A`,
      `${id}.${Number(expiry) + 1}.${mac}`,
      `x${id}.${expiry}.${mac}`,
      `__proto__.${expiry}.${mac}`,
      new TicketSigner('other secret').sign('session', ticket),
      sessions.connectionTicket(ticket),
    ];
    for (const text of forged) expect(sessions.verify(text)).toBeUndefined();
    expect(sessions.verifyConnectionTicket(session)).toBeUndefined();
  });

  test('gives connection tickets that last a minute', () => {
    const { sessions, open, pass } = createSessions();
    const { ticket } = open();
    const connection = sessions.connectionTicket(ticket);
    expect(sessions.verifyConnectionTicket(connection)).toBe(ticket.id);
    pass(60_000);
    expect(sessions.verifyConnectionTicket(connection)).toBeUndefined();
  });
});
