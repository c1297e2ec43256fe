import { tmpdir } from 'node:os';
import { expect, test } from 'vitest';
import { freePort } from '@holdfast/store/testing/free-port';
import { startProgram } from '../program.ts';
import { startProxiedServer } from './proxied-server.ts';

const cwd = tmpdir();

test('holdfast doctor says every check, and ends with 0', async () => {
  await using server = await startProxiedServer();
  const args = ['doctor', `http://127.0.0.1:${server.port}`, '--idle', '1', '--connections', '5'];
  const program = startProgram(args, { cwd });
  expect(await program.ended).toBe(0);
  expect(program.output.out).toMatch(/pass {2}upgrade {7}HTTP 101/);
  expect(program.output.out).toContain('20 checks: 0 failed');
});

test('as JSON, with a fault: what, why, what to do, and 1', async () => {
  const program = startProgram(['doctor', `http://127.0.0.1:${await freePort()}`, '--json'], {
    cwd,
  });
  expect(await program.ended).toBe(1);
  const report = JSON.parse(program.output.out) as {
    readonly ok: boolean;
    readonly checks: readonly object[];
  };
  expect(report.ok).toBe(false);
  expect(report.checks).toContainEqual({
    name: 'tcp',
    status: 'fail',
    evidence: expect.stringContaining('ECONNREFUSED'),
    cause: 'Nothing listens on this port.',
    mend: expect.stringContaining('Start the server'),
  });
});

test('a token is taken from a variable, and never shown', async () => {
  await using server = await startProxiedServer();
  const token = 'secret.of.somebody';
  const url = `http://127.0.0.1:${server.port}`;
  const program = startProgram(['doctor', url, '--token-env', 'TOKEN', '--idle', '1'], {
    cwd,
    environment: { TOKEN: token },
  });
  expect(await program.ended).toBe(1);
  expect(program.output.out).toContain('The token was refused.');
  expect(program.output.out + program.output.err).not.toContain(token);
});

test('where nobody may connect without a token, the way is good: nothing is blamed for that', async () => {
  await using server = await startProxiedServer({
    client: { allow_anonymous_connect_without_token: false },
  });
  const url = `http://127.0.0.1:${server.port}`;
  const program = startProgram(['doctor', url, '--connections', '5'], { cwd });
  expect(await program.ended).toBe(0);
  expect(program.output.out).toMatch(/warn {2}connect +the server answered: 3501 bad request\n/);
  expect(program.output.out).toContain('--token "$(holdfast token create --user doctor)"');
  for (const stream of ['sse', 'http_stream']) {
    expect(program.output.out).toMatch(
      new RegExp(`skip {2}${stream} +first message after \\d+ ms; the server did not let`),
    );
  }
  expect(program.output.out).toMatch(/skip {2}polling/);
});
