import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { SMTPServer } from 'smtp-server';
import { expect, test } from 'vitest';
import { createEmailTarget } from './email-target.ts';
import type { EscalationAttempt } from './escalation-target.ts';

interface Mail {
  readonly to: readonly string[];
  readonly text: string;
}

/** A real SMTP server in this process, without TLS. */
async function startMailServer(refuse: (address: string) => Error | undefined = () => undefined) {
  const mails: Mail[] = [];
  const server = new SMTPServer({
    authOptional: true,
    disabledCommands: ['STARTTLS'],
    allowInsecureAuth: true,
    onAuth: (auth, _session, callback) =>
      auth.password === 'right'
        ? callback(null, { user: 'me' })
        : callback(new Error('wrong password')),
    onRcptTo: (address, _session, callback) => callback(refuse(address.address)),
    onData(stream, session, callback) {
      let text = '';
      stream.setEncoding('utf8').on('data', (piece: string) => (text += piece));
      stream.on('end', () => {
        mails.push({ to: session.envelope.rcptTo.map(({ address }) => address), text });
        callback();
      });
    },
  });
  server.listen(0, '127.0.0.1');
  await once(server.server, 'listening');
  const { port } = server.server.address() as AddressInfo;
  return {
    mails,
    port,
    [Symbol.asyncDispose]: () => new Promise<void>((resolve) => server.close(() => resolve())),
  };
}

function attemptOf(user: string, content: Partial<EscalationAttempt['notification']> = {}) {
  return {
    id: '0190',
    user,
    attempt: 1,
    signal: new AbortController().signal,
    notification: {
      id: 'n1',
      category: 'a',
      severity: 'info',
      title: 'Your order has left',
      body: 'It arrives on Tuesday.',
      link: '/orders/7?a=b',
      source: null,
      data: null,
      groupKey: null,
      groupCount: 1,
      createdAt: 1,
      expiresAt: null,
      readAt: null,
      archivedAt: null,
      ...content,
    },
  } satisfies EscalationAttempt;
}

const book: Readonly<Record<string, string>> = {
  ann: 'ann@example.com',
  gone: 'gone@example.com',
  busy: 'busy@example.com',
};

test('a notification becomes one plain message, whatever its title says', async () => {
  await using server = await startMailServer();
  const target = createEmailTarget({
    url: `smtp://127.0.0.1:${server.port}`,
    from: 'Shop <no-reply@shop.example>',
    addressOf: (user) => book[user],
    linkBase: 'https://shop.example',
  });
  await target.deliver(attemptOf('ann'));
  await target.deliver(
    attemptOf('ann', { title: 'a\nBcc: everybody@example.com', body: '<b>x</b>', link: null }),
  );
  target.close();
  expect(server.mails).toHaveLength(2);
  const [first, second] = server.mails as [Mail, Mail];
  expect(first.to).toEqual(['ann@example.com']);
  expect(first.text).toContain('Message-ID: <0190@shop.example>');
  expect(first.text).toContain('Subject: Your order has left');
  expect(first.text).toContain('From: Shop <no-reply@shop.example>');
  expect(first.text).toMatch(
    /It arrives on Tuesday\.\r\n\r\nhttps:\/\/shop\.example\/orders\/7\?a=/,
  );
  expect(second.to).toEqual(['ann@example.com']);
  expect(second.text).toContain('Subject: a Bcc: everybody@example.com');
  expect(second.text).not.toMatch(/^Bcc:/m);
  expect(second.text).toMatch(/^Content-Type: text\/plain/m);
});

test('refusals are final, other trouble is not, and credentials stay out of messages', async () => {
  const refusals: Readonly<Record<string, Error>> = {
    'gone@example.com': Object.assign(new Error('no such mailbox'), { responseCode: 550 }),
    'busy@example.com': Object.assign(new Error('try later'), { responseCode: 450 }),
  };
  await using server = await startMailServer((address) => refusals[address]);
  const fail = async (url: string, user: string) => {
    const target = createEmailTarget({ url, from: 'a@b.example', addressOf: (name) => book[name] });
    const error = await target.deliver(attemptOf(user)).then(
      () => undefined,
      (reason: unknown) => reason as Error & { retryable?: boolean },
    );
    target.close();
    return error;
  };
  const open = `smtp://127.0.0.1:${server.port}`;
  const gone = await fail(open, 'gone');
  expect(gone?.retryable).toBe(false);
  expect(gone?.message).toContain('550');
  const busy = await fail(open, 'busy');
  expect(busy?.retryable).toBeUndefined();
  expect(busy?.message).toContain('450');
  const nobody = await fail(open, 'nobody');
  expect(nobody).toMatchObject({ retryable: false, message: 'the user has no e-mail address' });
  const wrong = await fail(`smtp://me:geheim@127.0.0.1:${server.port}`, 'ann');
  expect(wrong?.retryable).toBeUndefined();
  expect(`${wrong?.message}${wrong?.stack}`).not.toContain('geheim');
  const away = await fail('smtp://127.0.0.1:1', 'ann');
  expect(away?.message).toBe('the mail server cannot be reached (ESOCKET)');
  expect(server.mails).toEqual([]);
});
